// The gateway's own paths with a SAML provider that has single logout, and sessions of its agents to be ended.

import type { LightMyRequestResponse } from 'fastify'
import type { SamlSettings } from '../../src/config/schema/providers.js'
import type { Session } from '../../src/core/sessions.js'
import type { Store } from '../../src/core/store.js'
import { createTestClock } from './clock.js'
import { rsaPair } from './configuration.js'
import { type LoginServer, startLoginServer, type TestBrowser } from './login-server.js'
import { idpIssuer, newSigningKey } from './saml-idp.js'
import { createLogoutIdp, type LogoutIdp } from './saml-logout-idp.js'
import { openSaml, samlSettings } from './saml-provider.js'

export const signing = newSigningKey()
export const stranger = newSigningKey('stranger.example.com')
export const other = newSigningKey('other.example.com')
export const otherIssuer = 'https://other.example.com/metadata'
export const idpSlo = 'https://idp.example.com/slo'
/** Our own key, for what we sign. */
export const ours = rsaPair(Date.UTC(2030, 0, 1))

export function sloSettings(changes: Partial<SamlSettings> = {}): SamlSettings {
  return samlSettings([signing.certificate], {
    sloUrl: idpSlo,
    key: { path: 'sp.key', text: ours.key },
    certificate: { path: 'sp.crt', text: ours.certificate },
    ...changes,
  })
}

export interface SloServer {
  server: LoginServer
  idp: LogoutIdp
  /** A session of that name, and a browser that holds it. */
  enter(nameId: string, sessionIndex?: string, provider?: string): Promise<{ session: Session; browser: TestBrowser }>
  alive(session: Session): Promise<boolean>
  /** A browser without anything brings a query. */
  bring(query: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** A browser without anything posts a form from the provider's page. */
  post(fields: Record<string, string> | string): Promise<LightMyRequestResponse>
}

/** Two providers: corp, whose settings change, and other. */
export async function startSloServer(
  options: { settings?: Partial<SamlSettings>; store?: (store: Store) => Store } = {},
): Promise<SloServer> {
  const clock = createTestClock()
  const second = samlSettings([other.certificate], {
    id: 'other',
    name: 'Other',
    issuer: otherIssuer,
    loginUrl: 'https://other.example.com/sso',
    sloUrl: 'https://other.example.com/slo',
  })
  const providers = [sloSettings(options.settings), second].map(settings => openSaml(settings, { clock }).provider)
  const gate = await startLoginServer({ providers, ...(options.store ? { store: options.store } : {}) })
  const idp = createLogoutIdp({ signing, clock, plan: { issuer: idpIssuer } })
  let count = 0
  return {
    server: gate,
    idp,
    async enter(nameId, sessionIndex, provider = 'corp') {
      const saml = { nameId, ...(sessionIndex === undefined ? {} : { sessionIndex }) }
      const email = nameId.toLowerCase()
      const claim = { id: `claim-${++count}`, until: clock.now() + 60_000 }
      const from = { address: '127.0.0.1', browser: 'Firefox' }
      const made = await gate.sessions.create({ provider, email, replayKey: claim, saml }, { email, roles: [] }, from)
      const browser = gate.browser()
      const { cookies } = gate.snapshot
      const seen = gate.keyring.seal('seen', Buffer.from(made.session.handle, 'base64url'), cookies.seen)
      browser.cookies.set(cookies.session, made.cookie)
      browser.cookies.set(cookies.seen, seen)
      return { session: made.session, browser }
    },
    alive: async session => (await gate.sessions.read(session.handle)) !== undefined,
    bring: (query, headers) => gate.browser().visit(`/auth/saml/slo?${query}`, headers),
    post: fields => gate.browser().post('/auth/saml/slo', fields),
  }
}
