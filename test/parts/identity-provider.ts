// An identity provider without pages: its part of the configuration, and what it would post for a login that the gateway
// sent to it. By SAML (provider corp) and by JWT (provider portal).

import type { Clock } from '../../src/core/clock.js'
import { readAuthnRequest } from '../../src/demo/idp.js'
import { signingKey } from './demo-idp.js'
import { createSamlIdp, idpIssuer, type ResponseChange } from './saml-idp.js'
import { type Claims, signed } from './tokens.js'
import type { Page, RequestOptions, UserAgent } from './user-agent.js'

export const portalSecret = 'the secret of the portal, more than 32 bytes'

/** What the provider's page posts, and where. */
export interface Answer {
  path: string
  fields: Record<string, string>
}

export interface IdentityProvider {
  /** For `providers`; they name the file idp.crt. */
  settings: { corp: Record<string, unknown>; portal: Record<string, unknown> }
  /** PEM, the file idp.crt. */
  certificate: string
  /** `asked`: the Location that the gateway sent the browser to; undefined for a login that nobody asked for. */
  saml(email: string, asked?: string, change?: ResponseChange): Answer
  jwt(email: string, asked?: string, claims?: Claims): Promise<Answer>
}

let count = 0

export interface IdentityProviderDeps {
  publicUrl: string
  clock: Clock
  /** What the gateway calls itself; its host by default. */
  entityId?: string
  issuer?: string
  secret?: string
}

export function createIdentityProvider(deps: IdentityProviderDeps): IdentityProvider {
  const { publicUrl, clock, entityId = new URL(publicUrl).hostname } = deps
  const { issuer = idpIssuer, secret = portalSecret } = deps
  const acsUrl = `${publicUrl}/auth/saml/acs`
  const signing = signingKey()
  const saml = createSamlIdp({ signing, clock, plan: { issuer, acsUrl, audience: entityId } })
  return {
    certificate: signing.certificate,
    settings: {
      corp: {
        id: 'corp',
        type: 'saml',
        name: 'Aloha Adventures',
        issuer,
        loginUrl: 'https://idp.example.com/sso',
        logoutUrl: 'https://idp.example.com/bye',
        certificates: ['idp.crt'],
        attributes: { email: 'NameID', name: 'displayName', roles: 'groups' },
      },
      portal: {
        id: 'portal',
        type: 'jwt',
        name: 'Aloha Portal',
        loginUrl: 'https://portal.example.com/login',
        logoutUrl: 'https://portal.example.com/logout',
        secrets: [secret],
        requireState: false,
      },
    },
    saml(email, asked, change = {}) {
      const query = asked === undefined ? undefined : new URL(asked).searchParams
      const id = query && readAuthnRequest(query.get('SAMLRequest') ?? '', { entityId, acsUrl }).id
      const plan = { nameId: email, ...(id === undefined ? {} : { inResponseTo: id }), ...change.plan }
      const before = (xml: string) => (change.before ?? same)(id === undefined ? unasked(xml) : xml)
      const message = saml.message({ ...change, plan, before })
      const relayState = query?.get('RelayState')
      return {
        path: '/auth/saml/acs',
        fields: { SAMLResponse: message, ...(relayState ? { RelayState: relayState } : {}) },
      }
    },
    async jwt(email, asked, claims) {
      const query = asked === undefined ? new URLSearchParams() : new URL(asked).searchParams
      const key = new TextEncoder().encode(secret)
      const iat = Math.floor(clock.now() / 1000)
      const jwt = await signed({ email, iat, jti: `jti-${process.pid}-${++count}`, ...claims }, { key })
      const carried = ['return_to', 'state'].flatMap(field => {
        const value = query.get(field)
        return value === null ? [] : [[field, value]]
      })
      return { path: '/auth/jwt/callback', fields: { jwt, ...Object.fromEntries(carried) } }
    },
  }
}

/** Without the request that it would answer. */
function unasked(xml: string): string {
  return xml.replaceAll(/ InResponseTo="[^"]*"/g, '')
}

function same(xml: string): string {
  return xml
}

export type Way = 'corp' | 'portal'

/** Begins a login and lets the provider answer; what the answer leads to is the caller's. */
export async function begin(
  agent: UserAgent,
  idp: IdentityProvider,
  how: {
    way: Way
    email: string
    returnTo?: string
    asked?: RequestOptions
    /** Of the SAML response. */
    change?: ResponseChange
    /** Of the token. */
    claims?: Claims
  },
): Promise<Answer> {
  const { way, email, returnTo = '/' } = how
  const start = await agent.visit(`/auth/login/${way}?return_to=${encodeURIComponent(returnTo)}`, how.asked)
  if (start.status !== 302) throw new Error(`the login did not begin: ${start.status} ${start.reason ?? ''}`)
  return way === 'corp' ? idp.saml(email, start.location, how.change) : idp.jwt(email, start.location, how.claims)
}

/** A whole login; what the gateway answered to the hand-over. */
export async function logIn(
  agent: UserAgent,
  idp: IdentityProvider,
  how: Parameters<typeof begin>[2] & { finish?: RequestOptions },
): Promise<Page> {
  const { path, fields } = await begin(agent, idp, how)
  return agent.postCrossSite(path, fields, how.finish ?? how.asked)
}
