// The identity providers: who may vouch for an agent, and how that is checked.

import * as z from 'zod'
import { duration, file, type Reader, secret, url, urlOrFile } from './values.js'

const id = () =>
  z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'small letters, digits and hyphens')
    .meta({ description: 'Names the provider in paths, logs and metrics: [a-z0-9-].' })
const name = () => z.string().min(1).max(80).meta({ description: 'The X of "Login with X".' })
const clockSkew = () =>
  duration().default(60_000).meta({ description: "How far the provider's clock may be off.", shown: '60s' })
const allow = () =>
  z
    .strictObject({ roles: z.array(z.string()).default([]), domains: z.array(z.string()).default([]) })
    .prefault({})
    .meta({ description: 'Who may come this way; empty lists allow all.' })

export const saml = (read: Reader) =>
  z.strictObject({
    id: id(),
    type: z.literal('saml'),
    name: name(),
    metadata: urlOrFile(read)
      .optional()
      .meta({ description: 'IdP metadata: URL or file; else issuer, loginUrl and certificates.' }),
    metadataCertificate: file(read)
      .optional()
      .meta({ description: 'PEM file that verifies the signature of the metadata.' }),
    issuer: z.string().min(1).optional().meta({ description: "The IdP's entity ID." }),
    loginUrl: url().optional().meta({ description: 'Remote login URL (HTTP-Redirect binding).' }),
    certificates: z
      .array(file(read))
      .default([])
      .meta({ description: 'PEM files of the signing certificates; several for a rollover.' }),
    certificateFingerprints: z
      .array(z.string())
      .default([])
      .meta({ description: 'SHA-1 or SHA-256 fingerprints in hex instead of certificates.' }),
    sloUrl: url().optional().meta({ description: 'SAML single logout endpoint; wins over logoutUrl.' }),
    logoutUrl: url().optional().meta({ description: 'Remote logout URL: a plain page.' }),
    entityId: z.string().min(1).optional().meta({ description: 'Our SP entity ID towards this IdP; default: site.' }),
    idpInitiated: z.boolean().default(false).meta({ description: 'Accept logins that begin at the IdP.' }),
    signRequests: z.boolean().default(false).meta({ description: 'Sign our requests; needs key and certificate.' }),
    key: file(read).optional().meta({ description: 'PEM file of our SP key.', secret: true }),
    certificate: file(read).optional().meta({ description: 'PEM file of our SP certificate.' }),
    wantAssertionsEncrypted: z
      .boolean()
      .default(false)
      .meta({ description: 'Refuse assertions that are not encrypted; needs key.' }),
    forceAuthn: z.boolean().default(false).meta({ description: 'Ask the IdP to log the agent in anew each time.' }),
    authnContext: z
      .array(z.string())
      .default([])
      .meta({ description: 'Requested AuthnContext classes; none by default.' }),
    allowSha1: z.boolean().default(false).meta({ description: 'Accept SHA-1 signatures. Do not.' }),
    clockSkew: clockSkew(),
    attributes: z
      .strictObject({
        email: z.string().min(1).default('NameID').meta({ description: 'NameID, or the attribute with the e-mail.' }),
        name: z.string().min(1).optional().meta({ description: 'The attribute with the display name.' }),
        roles: z.string().min(1).optional().meta({ description: 'The attribute with the roles.' }),
      })
      .prefault({})
      .meta({ description: 'Where the assertion holds what.' }),
    allow: allow(),
  })

export const jwt = (read: Reader) =>
  z.strictObject({
    id: id(),
    type: z.literal('jwt'),
    name: name(),
    loginUrl: url().meta({ description: 'Remote login URL; gets return_to and state.' }),
    logoutUrl: url().optional().meta({ description: 'Remote logout URL.' }),
    secrets: z
      .array(secret(read))
      .default([])
      .meta({ description: 'Shared secrets, at least 32 bytes each; several for a rotation.' }),
    jwks: urlOrFile(read).optional().meta({ description: 'JWKS: URL or file, instead of secrets.' }),
    algorithms: z
      .array(z.enum(['HS256', 'RS256', 'ES256', 'EdDSA']))
      .optional()
      .meta({ description: 'Default: HS256 with secrets; RS256, ES256, EdDSA with jwks.' }),
    maxAge: duration().default(180_000).meta({ description: 'How old iat may be.', shown: '3m' }),
    clockSkew: clockSkew(),
    issuer: z.string().min(1).nullable().default(null).meta({ description: 'What iss must be; null: not checked.' }),
    audience: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .meta({ description: 'What aud must hold; null: not checked.' }),
    requireState: z.boolean().default(false).meta({ description: 'Refuse a token that this browser did not ask for.' }),
    bearer: z
      .boolean()
      .default(false)
      .meta({ description: 'Tokens of bearerAudience authenticate single API requests.' }),
    bearerAudience: z.string().min(1).optional().meta({ description: 'The audience of bearer tokens.' }),
    bearerPassThrough: z
      .boolean()
      .default(false)
      .meta({ description: 'Desk sees the Authorization header of a bearer request.' }),
    allow: allow(),
  })

export const providers = (read: Reader) =>
  z
    .array(z.discriminatedUnion('type', [saml(read), jwt(read)]))
    .default([])
    .meta({ description: 'The identity providers, in the order of the login page.' })

export type SamlSettings = z.output<ReturnType<typeof saml>>
export type JwtSettings = z.output<ReturnType<typeof jwt>>
export type ProviderSettings = SamlSettings | JwtSettings
