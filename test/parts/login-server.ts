// The whole gateway for tests of its own routes, without a listener: on the memory store, with a clock that is moved by hand
// and a JWT provider. And a browser as far as cookies go.

import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { createReader } from '../../src/config/reader.js'
import { type Config, configSchema } from '../../src/config/schema/index.js'
import type { AgentRecord, Directory } from '../../src/core/directory.js'
import type { Identity } from '../../src/core/identity.js'
import type { Attempt, CallbackRequest, Provider, Verdict } from '../../src/core/providers.js'
import type { Reason } from '../../src/core/reasons.js'
import type { Store } from '../../src/core/store.js'
import type { AuditEvent } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createJwtProvider } from '../../src/providers/jwt/provider.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createGateway, type Gateway } from '../../src/server/app.js'
import { closeResources, openResources, type Resources } from '../../src/server/resources.js'
import type { ConfigSnapshot } from '../../src/web/context.js'
import { createTestClock, type TestClock } from './clock.js'
import { refreshIn } from './forms.js'
import { jwtSettings } from './jwt-provider.js'
import { type Claims, signed } from './tokens.js'

export const publicUrl = 'https://desk.example.com'

export interface LoginServer
  extends Pick<Gateway, 'app' | 'sessions'>,
    Pick<Resources, 'store' | 'keyring' | 'metrics' | 'refusedLogins' | 'breakglass'> {
  clock: TestClock
  snapshot: ConfigSnapshot
  lines: { [key: string]: unknown }[]
  events: AuditEvent[]
  /** A good token of the portal for an agent. */
  token(email?: string, claims?: Claims): Promise<string>
  browser(): TestBrowser
  close(): Promise<void>
}

export interface LoginServerOptions {
  settings?: { [key: string]: unknown }
  /** Beside or instead of the portal. */
  providers?: Provider[]
  people?: Record<string, AgentRecord | 'disabled'>
  directory?: Directory
  /** Around the memory store. */
  store?: (store: Store) => Store
  bodyTimeout?: number
}

const people: Record<string, AgentRecord | 'disabled'> = {
  'ada@example.com': { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['agent'] },
  'bob@example.com': { email: 'bob@example.com', id: '8', roles: [] },
  'off@example.com': 'disabled',
}

export async function startLoginServer(options: LoginServerOptions = {}): Promise<LoginServer> {
  const clock = createTestClock()
  // The settings of a provider count only by its ID here: the provider itself is given, or is the portal.
  const ids = options.providers?.map(({ id }) => id) ?? ['portal']
  const config = { ...configure(options.settings), providers: ids.map(id => jwtSettings({ id })) }
  const lines: LoginServer['lines'] = []
  const events: AuditEvent[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const audit = (event: AuditEvent) => void events.push(event)
  const wrap = options.store ?? (store => store)
  const resources = openResources(config, { clock, random: systemRandom, log, wrapStore: wrap })
  const { store, keyring, metrics, refusedLogins, breakglass } = resources
  const known = options.people ?? people
  const bodyTimeout = options.bodyTimeout
  const gateway = await createGateway(config, {
    ...resources,
    audit,
    overrides: {
      directory: options.directory ?? { find: async email => known[email] ?? 'unknown' },
      providers: options.providers ?? [portalOf(config, { clock, log, metrics })],
      routeDeps: {
        spMetadata: (_, id) => (id === undefined || id === 'corp' ? '<EntityDescriptor/>' : undefined),
        ...(bodyTimeout === undefined ? {} : { bodyTimeout }),
      },
    },
  })
  const { app, sessions } = gateway
  let count = 0

  return {
    ...{ app, sessions, clock, store, keyring, metrics, refusedLogins, breakglass, lines, events },
    snapshot: gateway.snapshot(),
    token: (email = 'ada@example.com', claims) =>
      signed({ email, iat: clock.now() / 1000, jti: `jti-${count++}`, ...claims }),
    browser: () => createBrowser(app, config.publicUrl),
    async close() {
      await gateway.close()
      await resources.pool.close()
      await closeResources(resources)
    },
  }
}

function portalOf({ publicUrl }: Config, parts: Pick<Resources, 'clock' | 'log' | 'metrics'>): Provider {
  const fetchText = () => Promise.reject(new Error('no call was expected'))
  return createJwtProvider(jwtSettings({ logoutUrl: 'https://portal.example.com/logout' }), {
    ...parts,
    publicUrl,
    fetchText,
  })
}

function configure(settings: LoginServerOptions['settings']): Config {
  return configSchema(createReader({ folder: '.', env: {} })).parse({
    publicUrl,
    secrets: ['a secret for tests that is long enough'],
    desk: { url: 'http://desk.internal:3000' },
    agents: [{ any: true }],
    limits: { logins: '100000/m' },
    ...settings,
  })
}

export interface TestBrowser {
  cookies: Map<string, string>
  /** A page navigation; goes where a page sends a browser without scripts. */
  visit(path: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** A form of our own page. */
  send(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  /** A form that another site's page posts here: Lax cookies stay at home. */
  post(
    path: string,
    fields: Record<string, string> | string,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>
  /** What a script of ours asks. */
  fetch(path: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  take(response: LightMyRequestResponse): void
}

const navigating = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }
const encoded = { 'content-type': 'application/x-www-form-urlencoded' }
export const agentString = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

function createBrowser(app: FastifyInstance, origin: string): TestBrowser {
  const cookies = new Map<string, string>()
  const lax = (name: string) => !name.includes('deskgate-login.') && !name.includes('deskgate-seen')
  const header = (path: string, site: 'same' | 'cross') =>
    [...cookies]
      .filter(([name]) => site === 'same' || !lax(name))
      .filter(([name]) => !name.includes('deskgate-seen') || path.startsWith('/auth') || path.startsWith('/sso'))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ')
  const take = (response: LightMyRequestResponse) => {
    for (const line of [response.headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = line.split(';')
      const at = pair.indexOf('=')
      if (line.includes('Max-Age=0')) cookies.delete(pair.slice(0, at))
      else cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
  const ask = async (
    method: 'GET' | 'POST',
    url: string,
    site: 'same' | 'cross',
    headers: Record<string, string>,
    payload?: string,
  ) => {
    const cookie = header(url, site)
    const all = {
      host: new URL(origin).host,
      'user-agent': agentString,
      ...(cookie === '' ? {} : { cookie }),
      ...headers,
    }
    const response = await app.inject({ method, url, headers: all, ...(payload === undefined ? {} : { payload }) })
    take(response)
    return response
  }
  const form = (fields: Record<string, string> | string) =>
    typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  return {
    cookies,
    take,
    async visit(path, headers) {
      const all = { ...navigating, 'sec-fetch-site': 'none', ...headers }
      const page = await ask('GET', path, 'same', all)
      const next = refreshIn(page.body)
      return next === undefined ? page : ask('GET', next, 'same', all)
    },
    send: (path, fields = {}, headers = {}) =>
      ask(
        'POST',
        path,
        'same',
        { ...navigating, ...encoded, 'sec-fetch-site': 'same-origin', origin, ...headers },
        form(fields),
      ),
    post: (path, fields, headers = {}) =>
      ask(
        'POST',
        path,
        'cross',
        { ...navigating, ...encoded, 'sec-fetch-site': 'cross-site', origin: 'https://portal.example.com', ...headers },
        form(fields),
      ),
    fetch: (path, headers = {}) =>
      ask('GET', path, 'same', {
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        'sec-fetch-site': 'same-origin',
        accept: '*/*',
        ...headers,
      }),
  }
}

/** A provider that says what it is told: for the login methods that the portal does not have. */
export function createFakeProvider(
  changes: Partial<Provider> & { verdict?: (handover: CallbackRequest) => Partial<Verdict> } = {},
): Provider {
  const id = changes.id ?? 'corp'
  const { verdict = () => ({}), ...rest } = changes
  return {
    id,
    name: 'Aloha Adventures',
    type: 'saml',
    formTargets: () => ['https://idp.example.com'],
    begin: async (attempt: Attempt) => ({
      post: 'https://idp.example.com/sso',
      fields: { SAMLRequest: 'request', RelayState: attempt.id },
    }),
    handleCallback: async handover => {
      const attempt = handover.state === undefined ? undefined : handover.attempt(handover.state)
      const base = { provider: id, checks: [], unsolicited: attempt === undefined }
      return { ...base, ...(attempt ? { attempt } : {}), ...verdict(handover) }
    },
    logout: () => undefined,
    close: () => {},
    issuer: () => 'https://idp.example.com/metadata',
    ...rest,
  }
}

let claims = 0
/** What a stand-in vouches for. */
export function identityOf(email: string, changes: Partial<Identity> = {}): Identity {
  return { provider: 'corp', email, replayKey: { id: `claim-${claims++}`, until: Date.UTC(2026, 10, 23) }, ...changes }
}

export function refusedWith(reason: Reason): Partial<Verdict> {
  return { reason, checks: [{ name: 'stand-in', ok: false }] }
}

/** A Response that the scan takes: who decides about it is the stand-in. */
export function samlMessage(issuer = 'https://idp.example.com/metadata'): string {
  return Buffer.from(
    `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0"><saml:Issuer>${issuer}</saml:Issuer></samlp:Response>`,
  ).toString('base64')
}
