// One worker's life: opens what the gateway needs, listens, says that it is ready, and on close lets requests finish.

import type { AddressInfo } from 'node:net'
import { setTimeout as realPause } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Config } from './config/schema/index.js'
import type { Clock, Random } from './core/contracts.js'
import { createGateway } from './gateway.js'
import { createOps } from './ops/api.js'
import { createAudit } from './ops/audit.js'
import { createDossiers } from './ops/dossiers.js'
import { createFetch } from './ops/fetch.js'
import type { Log } from './ops/log.js'
import { createMetrics, type Metrics } from './ops/metrics.js'
import { createReadiness, type ReadinessProbe } from './ops/readiness.js'
import { createBreakglass } from './providers/breakglass.js'
import { createSamlPool, type VerifySaml } from './providers/saml/pool.js'
import { createKeyring, randomSecret } from './sessions/keyring.js'
import { createSessions } from './sessions/sessions.js'
import { openStore } from './store/open.js'
import { createPaths } from './web/paths.js'

export interface Server {
  /** Where it listens, as a URL that a client on this machine can open. */
  url: string
  opsUrl: string
  /** Stops accepting, lets requests under way finish, closes what is open. */
  close(ending?: Ending): Promise<void>
}

/** How much time the end may take, in milliseconds. */
export interface Ending {
  /** Not ready, but serving on, so that load balancers notice before connections are refused; 0 when not given. */
  serveOn?: number
  /** For requests under way after that; what is still open then is cut. Without it they may take as long as they like. */
  finish?: number
}

export interface Addresses {
  url: string
  ops: string
  publicUrl: string
}

/** What a process says of itself on the ops listener. */
export interface Told {
  metrics: Pick<Metrics, 'text' | 'parts'>
  readiness: Pick<ReadinessProbe, 'ask'>
}

export interface ServerDeps {
  clock: Clock
  random: Random
  log: Log
  /** In the place of the pool of threads, to measure what it brings. */
  verifySaml?: VerifySaml
  /** Milliseconds that the store has for a command, where it is not the usual: for a machine that is known to be slow. */
  storeTimeout?: number
  /** Waits so many milliseconds. */
  pause?: (ms: number) => Promise<unknown>
  /** Called once it accepts connections; by default the log says so. */
  announce?: (addresses: Addresses) => void
  /** What the ops listener says where this process is one of several behind the same port. */
  together?: (own: Told) => Pick<Told, 'readiness'> & { metrics: Pick<Metrics, 'text'> }
}

/** Throws when an address cannot be listened on; an identity provider or a store that is down is no reason not to start. */
export async function startServer(config: Config, deps: ServerDeps): Promise<Server> {
  const { clock, random, log, pause = realPause } = deps
  const metrics = createMetrics()
  const audit = createAudit({ to: config.audit.to, clock })
  const store = openStore(config.sessions.store, {
    clock,
    log,
    ...(deps.storeTimeout === undefined ? {} : { commandTimeout: deps.storeTimeout }),
  })
  const keyring = createKeyring(ringOf(config, random), { random })
  const sessions = createSessions({ store, keyring, clock, random, settings: config.sessions, metrics, audit, log })
  const dossiers = createDossiers({ store, clock, random, log })
  const breakglass = createBreakglass({ store, keyring, clock, random })
  const readiness = createReadiness({ store, clock, log, metrics })
  const fetchText = createFetch()
  const pool = createSamlPool({ log })
  const gateway = await createGateway(config, {
    store,
    keyring,
    sessions,
    dossiers,
    breakglass,
    fetchText,
    verifySaml: deps.verifySaml ?? pool.verify,
    clock,
    random,
    log,
    audit,
    metrics,
  })
  const told = deps.together?.({ metrics, readiness }) ?? { metrics, readiness }
  const ops = createOps({
    ...told,
    dossiers,
    sessions,
    adminToken: config.ops.adminToken,
    breakglass: {
      issuer: breakglass,
      url: config.publicUrl + createPaths(config.prefix).breakglass,
      directory: gateway.directory,
      audit,
      metrics,
      log,
    },
  })
  const announce = deps.announce ?? (addresses => log.info(addresses, 'listening'))

  const close = async ({ serveOn = 0, finish }: Ending = {}) => {
    readiness.drain()
    gateway.windDown()
    await pause(serveOn)
    const cut = await gateway.close(finish)
    if (cut > 0) log.warn({ connections: cut, drain: config.drain }, 'the drain is over: open connections were cut')
    await pool.close()
    await ops.close()
    readiness.close()
    await fetchText.close()
    await store.close()
  }
  try {
    // The gateway first: who is told "ready" must be able to connect.
    const url = await listen(gateway.app, config.listen, config.tls ? 'https' : 'http')
    const opsUrl = await listen(ops, config.ops.listen, 'http')
    announce({ url, ops: opsUrl, publicUrl: config.publicUrl })
    return { url, opsUrl, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Only the memory store may do without secrets: what one process seals, no other has to open. */
function ringOf({ secrets }: Config, random: Random): string[] {
  return secrets.length > 0 ? secrets.map(secret => secret.reveal()) : [randomSecret(random)]
}

/** Listens on host:port or unix:/path; the URL names a host that this machine can open. */
async function listen(app: FastifyInstance, address: string, scheme: 'http' | 'https'): Promise<string> {
  if (address.startsWith('unix:')) {
    await app.listen({ path: address.slice('unix:'.length) })
    return address
  }
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  await app.listen({ host, port: Number(address.slice(colon + 1)) })
  const { port } = app.server.address() as AddressInfo
  const open = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `${scheme}://${open}:${port}`
}
