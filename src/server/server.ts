// One worker's life: opens what the gateway needs, listens, says that it is ready, takes a new configuration, and on close
// lets requests finish.

import { setTimeout as realPause } from 'node:timers/promises'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import type { Config } from '../config/schema/index.js'
import { watchFiles } from '../config/watch.js'
import { createOps } from '../ops/api.js'
import type { Metrics } from '../ops/metrics.js'
import { createProbes } from '../ops/probes.js'
import { createRateLimit } from '../ops/rate-limit.js'
import type { ReadinessProbe } from '../ops/readiness.js'
import { createLoginLimit } from '../web/login/login-limit.js'
import { createPaths } from '../web/request/paths.js'
import { listenOn, serverTls } from '../web/server/listener.js'
import { createGateway, type Gateway } from './app.js'
import { type ConfigSource, createReloads, type ReloadCause, type ReloadResult, type Reloads } from './reload.js'
import { closeHoldings, type Holdings, type HoldingsDeps, openHoldings } from './resources.js'

export interface Server {
  /** Where it listens, as a URL that a client on this machine can open. */
  url: string
  opsUrl: string
  /** The listener of ops.probes, where there is one. */
  probesUrl: string | undefined
  /**
   * Reads the configuration again and takes it, whole or not at all, without dropping a connection. Never rejects; what
   * came of it is plain data. Without a source nothing changes.
   */
  reload(cause: ReloadCause): Promise<ReloadResult>
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
  probes?: string
  publicUrl: string
}

/** What a process says of itself on the ops listener. */
export interface Told {
  metrics: Pick<Metrics, 'text' | 'parts'>
  readiness: Pick<ReadinessProbe, 'ask'>
}

export interface ServerDeps extends HoldingsDeps {
  /** Where a reload reads; without it there are none. Its files are watched. */
  source?: ConfigSource
  /** Waits so many milliseconds. */
  pause?: (ms: number) => Promise<unknown>
  /** Called once it accepts connections; by default the log says so. */
  announce?: (addresses: Addresses) => void
  /** What the ops listener says where this process is one of several behind the same port. */
  together?: (own: Told) => Pick<Told, 'readiness'> & { metrics: Pick<Metrics, 'text'> }
  /** The API has asked this process to reload: the others behind the same port are to do so too. */
  reloadOthers?: () => void
}

/** Throws when an address cannot be listened on; an identity provider or a store that is down is no reason not to start. */
export async function startServer(config: Config, deps: ServerDeps): Promise<Server> {
  const { log, pause = realPause } = deps
  const held = openHoldings(config, deps)
  const limit = createLoginLimit({ limit: limitOf(held, 'logins', () => gateway.config()), log })
  const gateway = await createGateway(config, { ...held, limit })
  const reloads = reloadsOf(deps.source, { gateway, held })
  const reload = async (cause: ReloadCause): Promise<ReloadResult> =>
    reloads ? reloads.reload(cause) : { applied: true, changed: [], warnings: [] }
  const reloadAll = () => {
    deps.reloadOthers?.()
    return reload('api')
  }
  const told = deps.together?.(held) ?? held
  const ops = opsOf({ held, told, gateway, ...(reloads ? { reload: reloadAll } : {}) })
  const probes = config.ops.probes === null ? undefined : createProbes(told)
  const watch = reloads && watchFiles({ files: reloads.files, changed: () => reload('file') })
  const announce = deps.announce ?? (addresses => log.info(addresses, 'listening'))

  const close = async ({ serveOn = 0, finish }: Ending = {}) => {
    watch?.close()
    held.readiness.drain()
    gateway.windDown()
    await pause(serveOn)
    const cut = await gateway.close(finish)
    if (cut > 0) log.warn({ connections: cut, drain: config.drain }, 'the drain is over: open connections were cut')
    await held.pool.close()
    await ops.close()
    await probes?.close()
    await closeHoldings(held)
  }
  try {
    const where = await openListeners(config, { app: gateway.app, ops, probes })
    const more = where.probesUrl === undefined ? {} : { probes: where.probesUrl }
    announce({ url: where.url, ops: where.opsUrl, ...more, publicUrl: config.publicUrl })
    return { ...where, reload, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openListeners(
  { listen, tls, ops: at }: Config,
  { app, ops, probes }: { app: Gateway['app']; ops: Listener; probes: Listener | undefined },
) {
  // The gateway first: who is told "ready" must be able to connect.
  const url = await listenOn(app, listen, tls ? 'https' : 'http')
  const opsUrl = await listenOn(ops, at.listen, 'http')
  const probesUrl = probes && (await listenOn(probes, at.probes ?? '', 'http'))
  return { url, opsUrl, probesUrl }
}

type Listener = Parameters<typeof listenOn>[0]

interface Running {
  gateway: Gateway
  held: Holdings
}

function limitOf({ store, clock, log }: Holdings, name: 'logins' | 'admin', running: () => Config) {
  return createRateLimit({ store, clock, log, name, rate: () => running().limits.logins })
}

function reloadsOf(source: ConfigSource | undefined, { gateway, held }: Running): Reloads | undefined {
  const { readiness, metrics, audit, log } = held
  const apply = createApply({ gateway, held })
  return source && createReloads({ source, running: () => gateway.config(), apply, readiness, metrics, audit, log })
}

/** The ops listener; `told` is what it says, which is more than its own where several processes stand behind a port. */
function opsOf(
  of: Running & {
    told: Pick<Told, 'readiness'> & { metrics: Pick<Metrics, 'text'> }
    reload?: () => Promise<ReloadResult>
  },
) {
  const { held, told, gateway, reload } = of
  const running = () => gateway.config()
  return createOps({
    ...held,
    metrics: told.metrics,
    readiness: told.readiness,
    adminToken: () => running().ops.adminToken,
    limit: limitOf(held, 'admin', running),
    breakglass: {
      ...held,
      issuer: held.breakglass,
      url: () => breakglassUrl(running()),
      directory: gateway.directory,
    },
    ...(reload ? { reload } : {}),
  })
}

function breakglassUrl({ publicUrl, prefix }: Config): string {
  return publicUrl + createPaths(prefix).breakglass
}

/** Puts another configuration to use, whole or not at all. The result rejects when something of it cannot be used. */
function createApply({ gateway, held }: Running): (next: Config) => Promise<void> {
  const { keyring, ringFor, auditLog, log } = held

  return async next => {
    const ring = ringFor(next)
    const prepared = await gateway.prepare(next, ring)
    try {
      if (next.tls) createSecureContext(serverTls(next.tls))
    } catch (error) {
      await prepared.drop()
      throw error
    }
    // From here on nothing fails, and nothing waits: all of it counts for the next request.
    keyring.replace(ring)
    prepared.take()
    if (next.tls) (gateway.app.server as unknown as TlsServer).setSecureContext(serverTls(next.tls))
    log.level = next.log.level
    auditLog.sendTo(next.audit.to)
  }
}
