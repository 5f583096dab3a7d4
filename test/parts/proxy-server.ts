// The whole proxy for tests, from the socket to Desk: lifecycle, guard, identity, forwarder, WebSocket, with real sessions on the
// memory store and stand-ins for the gateway routes.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createReader } from '../../src/config/reader.js'
import { type Config, configSchema } from '../../src/config/schema/index.js'
import type { Agent, Clock, Session, Sessions, Store } from '../../src/core/contracts.js'
import { deriveSigningKeys } from '../../src/keys/assertion-keys.js'
import { createKeyring } from '../../src/keys/keyring.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics, type Metrics } from '../../src/ops/metrics.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createSessions, handleOf } from '../../src/sessions/sessions.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createLiveConnections, type LiveConnections } from '../../src/web/access/live-connections.js'
import type { Bearer, ConfigSnapshot, GatewayErrorCode, IdentityWriter } from '../../src/web/context.js'
import { createIdentityWriter } from '../../src/web/identity/headers.js'
import { createPipeline, type PipelineDeps } from '../../src/web/proxy/pipeline.js'
import { mountDesk } from '../../src/web/proxy/plugin.js'
import { attachUpgrades, type Upgrades } from '../../src/web/proxy/websocket/plugin.js'
import { createCookies } from '../../src/web/request/cookies.js'
import { createPaths } from '../../src/web/request/paths.js'
import { createRequestLifecycle } from '../../src/web/request-lifecycle.js'
import { openListener } from '../../src/web/server/listener.js'
import { createTestClock, type TestClock } from './clock.js'

export interface TestProxy {
  app: FastifyInstance
  port: number
  publicUrl: string
  sessions: Sessions
  snapshot: ConfigSnapshot
  clock: TestClock
  metrics: Metrics
  upgrades: Upgrades
  liveConnections: LiveConnections
  /** Lines of the log. */
  lines: { [key: string]: unknown }[]
  /** A session for an agent: the Cookie header, and the session. */
  logIn(agent?: Partial<Agent>): Promise<{ cookie: string; session: Session }>
  close(): Promise<void>
}

export interface ProxyOptions {
  deskUrl: string
  /** More settings, as in the file. */
  settings?: { [key: string]: unknown }
  /** Where a browser must know it beforehand. */
  port?: number
  /** Instead of the memory store. */
  store?: (clock: Clock) => Store
  /** Takes bearer tokens. */
  bearer?: (parts: { clock: Clock; writer: IdentityWriter; metrics: Metrics }) => Bearer | undefined
  /** How long a client may take for a head, and how often that is looked at, in milliseconds. */
  times?: Parameters<typeof openListener>[2]
  /** How long the sides of an exchange are waited for. */
  timeouts?: PipelineDeps['timeouts']
  /** Bytes of a frame. */
  largestFrame?: PipelineDeps['largestFrame']
  signingKeys?: Parameters<typeof createIdentityWriter>[0]['keys']
}

/** The test calls tick(). */
const never = 2 ** 31 - 1

export const publicUrl = 'https://desk.example.com'

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const clock = createTestClock()
  const config = configure(options)
  const lines: TestProxy['lines'] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const metrics = createMetrics()
  const keyring = createKeyring(['a secret for tests that is long enough'], { random: systemRandom })
  const store = options.store?.(clock) ?? createMemoryStore({ clock })
  const settings = config.sessions
  const shared = { clock, random: systemRandom, log }
  const sessions = createSessions({ ...shared, store, keyring, settings, metrics, audit: () => {} })
  const keys = options.signingKeys ?? deriveSigningKeys(keyring.derive('identity-assertion', 48))

  const paths = createPaths(config.prefix)
  const cookies = createCookies({ publicUrl: config.publicUrl, prefix: config.prefix })
  const named = { publicUrl: config.publicUrl, deskOrigin: config.desk.url }
  const identity = createIdentityWriter({ settings: config.identity, ...named, keys, clock })
  const liveConnections = createLiveConnections({ sessions, clock, settings, interval: never })
  const { liveResponses } = liveConnections
  const { timeouts, largestFrame } = options
  const bearer = options.bearer?.({ clock, writer: identity, metrics })
  const own = { config, paths, cookies, identity, sessions, handleOf, bearer, liveResponses, timeouts, largestFrame }
  const proxy = createPipeline({ ...shared, ...own })
  const directory = { find: async () => 'unknown' as const }
  const snapshot: ConfigSnapshot = {
    config,
    paths,
    cookies,
    providers: [],
    directory,
    identity,
    renderError: answers,
    pipeline: proxy,
  }

  const requestLifecycle = createRequestLifecycle({ current: () => snapshot, clock, metrics, log })
  const app = openListener(config, request => requestLifecycle.rewriteUrl(request), options.times)
  requestLifecycle.mount(app)
  app.register(async own => {
    own.addHook('onRequest', requestLifecycle.gatewayRoutesOnly)
    for (const path of [`${config.prefix}/login`, paths.acs, paths.jwt, `${paths.breakglass}/:token`]) {
      own.route({ url: path, method: ['GET', 'POST'], handler: async () => 'own' })
    }
  })
  mountDesk(app, { requestLifecycle })
  const upgrades = attachUpgrades(app.server as Server, { ...shared, requestLifecycle, liveConnections, metrics })
  await app.listen({ port: options.port ?? 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  return {
    app,
    port,
    publicUrl: config.publicUrl,
    sessions,
    snapshot,
    clock,
    metrics,
    upgrades,
    liveConnections,
    lines,
    async logIn(agent) {
      const who: Agent = { email: 'alice@example.com', id: '7', name: 'Alice', roles: ['agent'], ...agent }
      const claim = { id: systemRandom(8).toString('hex'), until: clock.now() + 60_000 }
      const from = { address: '127.0.0.1', browser: 'test' }
      const { cookie, session } = await sessions.create(
        { provider: 'corp', email: who.email, replayKey: claim },
        who,
        from,
      )
      return { cookie: `${cookies.session}=${cookie}`, session }
    },
    async close() {
      upgrades.closeAll(0)
      liveConnections.close()
      app.server.closeAllConnections()
      await app.close()
      await proxy.close()
    },
  }
}

const statuses: Record<GatewayErrorCode, number> = {
  bad_request: 400,
  not_found: 404,
  challenge: 401,
  forbidden: 403,
  wrong_origin: 403,
  too_many_headers: 431,
  too_slow: 408,
  store_unavailable: 503,
  shed: 503,
  desk_unreachable: 502,
  desk_timeout: 504,
  internal: 500,
}

const answers: ConfigSnapshot['renderError'] = code => ({
  status: statuses[code],
  headers: ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'],
  body: code,
})

function configure(options: ProxyOptions): Config {
  const { desk, ...settings } = (options.settings ?? {}) as { desk?: object }
  const file = {
    publicUrl,
    desk: { url: options.deskUrl, public: ['GET /assets/*', '/open'], ...desk },
    agents: [{ any: true }],
    providers: [],
    ...settings,
  }
  return configSchema(createReader({ folder: '.', env: {} })).parse(file)
}
