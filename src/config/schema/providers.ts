// The identity providers: who may vouch for an agent, and how that is checked.

import * as z from 'zod'
import { domain } from './agents.js'
import {
  type ConfigReader,
  duration,
  file,
  headerName,
  keyFile,
  off,
  picture,
  says,
  secret,
  text,
  url,
  urlOrFile,
} from './values.js'

const id = () =>
  z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, says('invalid id', 'lowercase letters, digits and hyphens, at most 64'))
    .meta({ description: 'Names the provider in paths, logs and metrics: [a-z0-9-].' })
const name = () => text().max(80).meta({ description: 'The X of "Log in with X".' })
/** Bytes: the login page holds the icons of all providers. */
const mostOfIcon = 16 * 1024
const icon = (read: ConfigReader) =>
  picture(read, mostOfIcon)
    .nullable()
    .default(null)
    .meta({
      description: 'A picture for the login page: PNG, JPEG, GIF, WebP, ICO or SVG, at most 16 kB.',
      examples: ['corp.svg'],
    })
const clockSkew = () =>
  duration('0s', '24h').prefault('60s').meta({ description: "How far the provider's clock may be off." })
const contexts = () => z.array(text()).default([])
const maxAuthAge = () => duration('1s', '90d').nullable().default(null)
const revocation = (read: ConfigReader) =>
  z
    .strictObject({
      jwks: urlOrFile(read).meta({ description: 'JWKS of the signed calls: URL or file.' }),
      issuer: text().meta({ description: 'What iss must be.' }),
      audience: text().nullable().default(null).meta({
        description: "What aud must hold; null: the endpoint's URL, such as https://desk.example.com/auth/revoke.",
      }),
    })
    .nullable()
    .default(null)
    .meta({
      description: "Lets the provider end a person's access by a signed call (POST /auth/revoke); null: off.",
      examples: [{ jwks: 'https://idp.example.com/oauth2/v1/keys', issuer: 'https://idp.example.com' }],
    })
const allow = () =>
  z
    .strictObject({
      roles: z.array(text()).default([]).meta({ description: 'One of these roles is needed.' }),
      domains: z.array(domain()).default([]).meta({ description: 'The address must be of one of these domains.' }),
    })
    .prefault({})
    .meta({
      description: 'Which agents may log in with this provider; empty lists allow all.',
      examples: [{ roles: ['agent', 'admin'], domains: ['example.com'] }],
    })

/** One line of text. */
const role = () =>
  z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u, says('invalid role', '1 to 128 characters on one line'))
const roles = () =>
  z
    .strictObject({
      map: z
        .record(z.string().min(1, says('empty key', 'a group or an ID, as the provider sends it')), role())
        .default({})
        .meta({
          description: "What the provider calls a role (a group, an ID) → Desk's role. Case counts.",
          examples: [{ 'b1f5c6a2-3d7e-4f80-9a1b-2c3d4e5f6071': 'agent', 'desk-admins': 'admin' }],
        }),
      default: z
        .array(role())
        .default([])
        .meta({ description: 'The roles of an agent who has none after the mapping.', examples: [['agent']] }),
      unmapped: z
        .enum(['keep', 'drop'], { error: says('must be keep or drop') })
        .default('keep')
        .meta({ description: 'What happens to a value that the map does not name: keep or drop.' }),
      split: text()
        .max(10)
        .nullable()
        .default(null)
        .meta({
          description: 'The separator that splits one value into several roles; null: each value is one role.',
          examples: [';'],
        }),
    })
    .prefault({})
    .meta({ description: "From the provider's groups or roles to Desk's." })

const personId = () =>
  text()
    .optional()
    .meta({
      description: "The agent's ID in Desk, where the directory states none.",
      examples: ['employeeNumber'],
    })
const nameSources = () =>
  z.union([text(), z.array(text()).min(1).max(5)], {
    error: says('invalid name', 'one attribute, or a list such as [firstName, lastName]'),
  })
const attributeHeaders = () =>
  z
    .record(headerName(), text())
    .refine(headers => Object.keys(headers).length <= 20, says('names more than 20 headers'))
    .optional()
    .meta({
      description:
        'More headers for Desk, each with the attribute that provides its value; they are in the assertion too.',
      examples: [{ 'X-Agent-Department': 'department' }],
    })

export const saml = (read: ConfigReader) =>
  z.strictObject({
    id: id(),
    type: z.literal('saml').meta({ description: 'A SAML 2.0 identity provider.' }),
    name: name(),
    icon: icon(read),
    metadata: urlOrFile(read)
      .optional()
      .meta({
        description: 'IdP metadata: URL or file; else issuer, loginUrl and certificates.',
        examples: ['https://idp.example.com/metadata'],
      }),
    metadataCertificate: file(read)
      .optional()
      .meta({ description: 'PEM file that verifies the signature of the metadata.', examples: ['federation.crt'] }),
    issuer: text()
      .optional()
      .meta({ description: "The IdP's entity ID.", examples: ['https://idp.example.com'] }),
    loginUrl: url()
      .optional()
      .meta({ description: 'Remote login URL (HTTP-Redirect binding).', examples: ['https://idp.example.com/sso'] }),
    certificates: z
      .array(file(read))
      .default([])
      .meta({
        description: 'PEM files of the signing certificates, one each; several for a rollover.',
        examples: [['idp.crt']],
      }),
    certificateFingerprints: z
      .array(z.string())
      .default([])
      .meta({
        description:
          'In the place of certificates: SHA-256 or SHA-1 fingerprints, in hex, of the certificates that responses embed.',
        examples: [['b5a0ab6a1afbc49efc0a24946663f4a4befc3718f387d5d070b39a57e4116143']],
      }),
    sloUrl: url()
      .optional()
      .meta({
        description: 'SAML single logout endpoint; wins over logoutUrl.',
        examples: ['https://idp.example.com/slo'],
      }),
    logoutUrl: url()
      .optional()
      .meta({ description: 'Remote logout URL: a plain page.', examples: ['https://idp.example.com/bye'] }),
    entityId: text()
      .optional()
      .meta({ description: 'Our SP entity ID for this IdP; default: site.', examples: ['mysite'] }),
    idpInitiated: off('Accept logins that begin at the IdP.'),
    signRequests: off('Sign our requests; needs key and certificate.'),
    key: keyFile(read)
      .optional()
      .meta({ description: 'PEM file of our SP key.', examples: ['sp.key'] }),
    certificate: file(read)
      .optional()
      .meta({ description: 'PEM file of our SP certificate.', examples: ['sp.crt'] }),
    otherKeys: z
      .array(
        z.strictObject({
          key: keyFile(read).meta({ description: 'PEM file of the key.' }),
          certificate: file(read).meta({ description: 'PEM file of its certificate.' }),
        }),
      )
      .default([])
      .meta({
        description:
          'The previous or the next SP keys, for a rollover: they decrypt too, and the metadata names their certificates.',
        examples: [[{ key: 'sp-old.key', certificate: 'sp-old.crt' }]],
      }),
    wantAssertionsEncrypted: off('Refuse assertions that are not encrypted; needs key.'),
    forceAuthn: off(
      'Have the IdP authenticate the agent again for each login, and refuse a response with an older authentication.',
    ),
    authnContext: contexts().meta({
      description:
        'AuthnContext classes that are asked for; the response must name one of them, or of acceptedContexts.',
      examples: [['urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport']],
    }),
    acceptedContexts: contexts().meta({
      description: 'Classes that the response may name too: some providers have other names than those asked for.',
      examples: [['http://schemas.microsoft.com/claims/multipleauthn']],
    }),
    maxAuthAge: maxAuthAge().meta({ description: 'How long ago the authentication may be; null: not checked.' }),
    allowSha1: off('Accept SHA-1 signatures, which can be forged: leave it off.'),
    clockSkew: clockSkew(),
    attributes: z
      .strictObject({
        email: text().default('NameID').meta({ description: 'NameID, or the attribute with the e-mail address.' }),
        id: personId(),
        name: nameSources()
          .optional()
          .meta({
            description: 'The attribute with the display name, or several, joined by a space.',
            examples: ['displayName', ['firstName', 'lastName']],
          }),
        roles: text()
          .optional()
          .meta({ description: 'The attribute with the roles.', examples: ['groups'] }),
        headers: attributeHeaders(),
      })
      .prefault({})
      .meta({ description: 'The attributes of the assertion that hold the identity.' }),
    roles: roles(),
    revocation: revocation(read),
    allow: allow(),
  })

export const jwt = (read: ConfigReader) =>
  z.strictObject({
    id: id(),
    type: z.literal('jwt').meta({ description: 'A provider that posts a signed token.' }),
    name: name(),
    icon: icon(read),
    loginUrl: url().meta({
      description: 'Remote login URL; gets return_to and state.',
      examples: ['https://portal.example.com/login'],
    }),
    logoutUrl: url()
      .optional()
      .meta({ description: 'Remote logout URL.', examples: ['https://portal.example.com/logout'] }),
    secrets: z
      .array(secret(read))
      .default([])
      .meta({
        description: 'Shared secrets, at least 32 bytes each; several for a rotation.',
        examples: [[{ env: 'PORTAL_SECRET' }]],
      }),
    jwks: urlOrFile(read)
      .optional()
      .meta({
        description: 'JWKS: URL or file, instead of secrets.',
        examples: ['https://portal.example.com/jwks.json'],
      }),
    algorithms: z
      .array(z.enum(['HS256', 'RS256', 'ES256', 'EdDSA']))
      .min(1)
      .optional()
      .meta({ description: 'Default: HS256 with secrets; RS256, ES256, EdDSA with jwks.', examples: [['HS256']] }),
    maxAge: duration('1s', '24h').prefault('3m').meta({ description: 'How old iat may be.' }),
    clockSkew: clockSkew(),
    issuer: text()
      .nullable()
      .default(null)
      .meta({ description: 'What iss must be; null: not checked.', examples: ['https://portal.example.com'] }),
    audience: text()
      .nullable()
      .default(null)
      .meta({ description: 'What aud must hold; null: not checked.', examples: ['deskgate'] }),
    requireState: off('Refuse a token that this browser did not ask for.'),
    authnContext: contexts().meta({
      description: "The token's acr must be one of these, or of acceptedContexts; none: not checked.",
      examples: [['urn:example:mfa']],
    }),
    acceptedContexts: contexts().meta({ description: 'More values of acr.', examples: [['phr']] }),
    maxAuthAge: maxAuthAge().meta({ description: "How long ago the token's auth_time may be; null: not checked." }),
    bearer: off('Tokens of bearerAudience authenticate single API requests (Authorization: Bearer).'),
    bearerAudience: text()
      .optional()
      .meta({
        description: 'The only aud of bearer tokens; logins with such a token are refused.',
        examples: ['desk-api'],
      }),
    bearerPassThrough: off('Desk sees the Authorization header of a bearer request too.'),
    attributes: z
      .strictObject({
        id: personId(),
        name: nameSources()
          .default('name')
          .meta({
            description: 'The claim with the display name, or several, joined by a space.',
            examples: [['given_name', 'family_name']],
          }),
        roles: text().default('roles').meta({ description: 'The claim with the roles.' }),
        headers: attributeHeaders(),
      })
      .prefault({})
      .meta({ description: 'The claims of the token that hold the identity.' }),
    roles: roles(),
    revocation: revocation(read),
    allow: allow(),
  })

export const providers = (read: ConfigReader) =>
  z
    .array(
      z.discriminatedUnion('type', [saml(read), jwt(read)], { error: says('unknown type of provider', 'saml or jwt') }),
    )
    .default([])
    .meta({ description: 'The identity providers, in the order of the login page.' })

export type SamlSettings = z.output<ReturnType<typeof saml>>
export type JwtSettings = z.output<ReturnType<typeof jwt>>
export type RoleSettings = z.output<ReturnType<typeof roles>>
export type RevocationSettings = NonNullable<z.output<ReturnType<typeof revocation>>>
export type ProviderSettings = SamlSettings | JwtSettings
