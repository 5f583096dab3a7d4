// The whole gateway for tests of the proxy, from the socket to Desk, with a session for anyone: on the memory store, with a
// clock that is moved by hand, short error responses and stand-ins for the gateway routes.

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createReader } from '../../src/config/reader.js'
import { type Config, configSchema } from '../../src/config/schema/index.js'
import type { Clock } from '../../src/core/clock.js'
import type { Agent } from '../../src/core/directory.js'
import type { Session } from '../../src/core/sessions.js'
import type { Store } from '../../src/core/store.js'
import { createLog } from '../../src/ops/log.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createGateway, type Gateway } from '../../src/server/app.js'
import type { GatewayOverrides } from '../../src/server/config-snapshot.js'
import { closeResources, openResources, type Resources } from '../../src/server/resources.js'
import type { ConfigSnapshot, GatewayErrorCode } from '../../src/web/context.js'
import { createPaths } from '../../src/web/request/paths.js'
import { createTestClock, type TestClock } from './clock.js'
import { jwtSettings } from './jwt-provider.js'

export interface TestProxy extends Pick<Gateway, 'app' | 'sessions' | 'upgrades' | 'liveConnections'> {
  port: number
  publicUrl: string
  snapshot: ConfigSnapshot
  clock: TestClock
  metrics: Resources['metrics']
  /** Lines of the log. */
  lines: { [key: string]: unknown }[]
  /** A session for an agent: the Cookie header, and the session. */
  logIn(agent?: Partial<Agent>): Promise<{ cookie: string; session: Session }>
  close(): Promise<void>
}

export interface ProxyOptions extends Omit<GatewayOverrides, 'providers'> {
  deskUrl: string
  /** More settings, as in the file. */
  settings?: { [key: string]: unknown }
  /** Where a browser must know it beforehand. */
  port?: number
  /** Instead of the memory store. */
  store?: (clock: Clock) => Store
  /** Beside none. */
  providers?: (parts: Pick<Resources, 'clock' | 'log' | 'metrics'>) => NonNullable<GatewayOverrides['providers']>
}

/** The test calls tick(). */
const never = 2 ** 31 - 1

export const publicUrl = 'https://desk.example.com'

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const { deskUrl, settings, port: wanted = 0, store, providers = () => [], ...overrides } = options
  const clock = createTestClock()
  // Sessions are of the provider corp: without its settings they would be those of a removed one.
  const configured = configure(deskUrl, settings)
  const corp = configured.providers.length > 0 ? configured.providers : [jwtSettings({ id: 'corp' })]
  const config = { ...configured, providers: corp }
  const lines: TestProxy['lines'] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const wrapStore = (memory: Store) => store?.(clock) ?? memory
  const resources = openResources(config, { clock, random: systemRandom, log, wrapStore })
  const gateway = await createGateway(config, {
    ...resources,
    audit: () => {},
    overrides: {
      liveInterval: never,
      renderError: answers,
      routes: standIns(config),
      providers: providers({ clock, log, metrics: resources.metrics }),
      ...overrides,
    },
  })
  const { app, sessions, upgrades, liveConnections } = gateway
  await app.listen({ port: wanted, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  return {
    ...{ app, sessions, upgrades, liveConnections, port, clock, lines },
    publicUrl: config.publicUrl,
    snapshot: gateway.snapshot(),
    metrics: resources.metrics,
    async logIn(agent) {
      const who: Agent = { email: 'alice@example.com', id: '7', name: 'Alice', roles: ['agent'], ...agent }
      const replayKey = { id: systemRandom(8).toString('hex'), until: clock.now() + 60_000 }
      const from = { address: '127.0.0.1', browser: 'test' }
      const { cookie, session } = await sessions.create({ provider: 'corp', email: who.email, replayKey }, who, from)
      return { cookie: `${gateway.snapshot().cookies.session}=${cookie}`, session }
    },
    async close() {
      upgrades.closeAll(0)
      app.server.closeAllConnections()
      await gateway.close()
      await resources.pool.close()
      await closeResources(resources)
    },
  }
}

/** A few of the gateway routes, which say that it was they who answered. */
function standIns({ prefix }: Config) {
  const { acs, jwt, breakglass } = createPaths(prefix)
  return async (context: FastifyInstance) => {
    for (const url of [`${prefix}/login`, acs, jwt, `${breakglass}/:token`]) {
      context.route({ url, method: ['GET', 'POST'], handler: async () => 'own' })
    }
  }
}

const statuses: Record<GatewayErrorCode, number> = {
  bad_request: 400,
  not_found: 404,
  challenge: 401,
  step_up: 401,
  forbidden: 403,
  wrong_origin: 403,
  too_many_headers: 431,
  too_slow: 408,
  store_unavailable: 503,
  shed: 503,
  desk_busy: 503,
  desk_unreachable: 502,
  desk_timeout: 504,
  kept_gone: 410,
  kept_claimed: 409,
  kept_unanswered: 502,
  internal: 500,
  trace_refused: 405,
  upgrade_required: 426,
}

const answers: ConfigSnapshot['renderError'] = code => ({
  status: statuses[code],
  headers: ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'],
  body: code,
})

function configure(deskUrl: string, changes: { [key: string]: unknown } = {}): Config {
  const { desk, ...settings } = changes as { desk?: object }
  const file = {
    publicUrl,
    desk: { url: deskUrl, public: ['GET /assets/*', '/open'], ...desk },
    agents: [{ any: true }],
    providers: [],
    ...settings,
  }
  return configSchema(createReader({ folder: '.', env: {} })).parse(file)
}
