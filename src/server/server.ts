// One gateway process from start to end: opens its resources, listens, reports readiness, reloads the configuration, and
// lets open requests finish on close.

import { setTimeout as realPause } from 'node:timers/promises'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import { differInAgentsFiles } from '../config/changes.js'
import type { Config } from '../config/schema/index.js'
import { watchFiles } from '../config/watch.js'
import { createOps, type ReloadResult } from '../ops/api.js'
import type { Metrics } from '../ops/metrics.js'
import type { ObservedFacts, ObservedRequests } from '../ops/observed.js'
import { createProbes } from '../ops/probes.js'
import { createRateLimit } from '../ops/rate-limit.js'
import type { ReadinessProbe } from '../ops/readiness.js'
import { createAccessReader } from '../web/access/explain-access.js'
import { listenOn, serverTls } from '../web/connections/listener.js'
import { createPaths } from '../web/request/paths.js'
import { createGateway, type Gateway } from './app.js'
import { type ConfigSource, createReloader, type ReloadCause, type Reloader } from './reload.js'
import { closeResources, memoryLimitOf, openResources, type Resources, type ResourcesDeps } from './resources.js'

export interface Server {
  /** The listen address, as a URL that a client on this machine can open. */
  url: string
  opsUrl: string
  probesUrl: string | undefined
  /**
   * Reads the configuration again and applies it, completely or not at all, without dropping a connection. Never rejects.
   * Changes nothing when there is no source.
   */
  reload(cause: ReloadCause): Promise<ReloadResult>
  /** Stops accepting, lets open requests finish, closes everything. */
  close(times?: ShutdownTimes): Promise<void>
}

/** How long the parts of a shutdown may take, in milliseconds. */
export interface ShutdownTimes {
  /** Keep serving while not ready, so that load balancers notice before connections are refused; default 0. */
  serveOn?: number
  /** Then for open requests to finish; the rest is cut. No limit when not given. */
  finish?: number
}

export interface Addresses {
  url: string
  ops: string
  probes?: string
  publicUrl: string
}

/** Where the ops listener gets its facts from. */
export interface OpsSources {
  metrics: Pick<Metrics, 'text' | 'parts'>
  readiness: Pick<ReadinessProbe, 'ask'>
  observed: Pick<ObservedRequests, 'facts'>
}

/** The same, of all workers. */
export interface MergedOpsSources extends Pick<OpsSources, 'readiness'> {
  metrics: Pick<Metrics, 'text'>
  observed: { facts(): Promise<ObservedFacts> | ObservedFacts }
}

export interface ServerDeps extends ResourcesDeps {
  /** For the metrics of the process, which only a process of its own has. */
  version?: string
  /** Where a reload reads the configuration, whose files are watched; without it there are no reloads. */
  source?: ConfigSource
  /** Waits the given milliseconds. */
  pause?: (ms: number) => Promise<unknown>
  /** Called when connections are accepted; by default this is logged. */
  announce?: (addresses: Addresses) => void
  /** In a cluster: combines the facts of this process with those of the other workers. */
  aggregated?: (own: OpsSources) => MergedOpsSources
  /** In a cluster: makes the other workers reload when the API of this one was asked to. */
  reloadOthers?: () => void
}

/** Throws when it cannot listen on an address, not when an identity provider or the store is down. */
export async function startServer(config: Config, deps: ServerDeps): Promise<Server> {
  const { log, pause = realPause } = deps
  const resources = openResources(config, { ...deps, tracing: await openTracing(config.tracing, deps) })
  const gateway = await createGateway(config, resources)
  if (deps.version !== undefined) resources.metrics.addProcess(deps.version)
  const reloader = createServerReloader(deps.source, { gateway, resources })
  const reload = async (cause: ReloadCause): Promise<ReloadResult> =>
    reloader ? reloader.reload(cause) : { applied: true, changed: [], warnings: [] }
  const reloadAll = () => {
    deps.reloadOthers?.()
    return reload('api')
  }
  const opsSources = deps.aggregated?.(resources) ?? resources
  const ops = createOpsListener({
    resources,
    opsSources,
    gateway,
    ...(reloader ? { reload: reloadAll } : {}),
  })
  const probes = config.ops.probes === null ? undefined : createProbes(opsSources)
  const watch = reloader && watchFiles({ files: reloader.files, changed: () => reload('file') })
  const announce = deps.announce ?? (addresses => log.info(addresses, 'listening'))

  const closeAll = async (finish?: number) => {
    watch?.close()
    const cut = await gateway.close(finish)
    if (cut > 0) log.warn({ connections: cut, drain: config.drain }, 'drain time over, open connections closed')
    await resources.pool.close()
    await ops.close()
    await probes?.close()
    await closeResources(resources)
    return cut
  }
  const close = async ({ serveOn = 0, finish }: ShutdownTimes = {}) => {
    log.info({ serveOn, finish, ...gateway.open() }, 'draining')
    watch?.close()
    resources.readiness.drain()
    gateway.windDown()
    await pause(serveOn)
    log.info({ finish, ...gateway.open() }, 'new connections refused, waiting for open requests')
    const cut = await closeAll(finish)
    log.info({ cut }, 'shutdown complete')
  }
  try {
    const addresses = await openListeners(config, { app: gateway.app, ops, probes })
    const more = addresses.probesUrl === undefined ? {} : { probes: addresses.probesUrl }
    announce({ url: addresses.url, ops: addresses.opsUrl, ...more, publicUrl: config.publicUrl })
    return { ...addresses, reload, close }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** OpenTelemetry is loaded only where it is configured. */
async function openTracing({ otlp, sample }: Config['tracing'], deps: ServerDeps) {
  if (otlp === null) return undefined
  const { createTracing } = await import('../ops/tracing.js')
  return createTracing({ otlp, sample }, deps)
}

async function openListeners(
  { listen, tls, ops: at }: Config,
  { app, ops, probes }: { app: Gateway['app']; ops: Listener; probes: Listener | undefined },
) {
  // The gateway first: a client that reads "ready" must be able to connect.
  const url = await listenOn(app, { setting: 'listen', address: listen, scheme: tls ? 'https' : 'http' })
  const opsUrl = await listenOn(ops, { setting: 'ops.listen', address: at.listen, scheme: 'http' })
  const probesUrl =
    probes && (await listenOn(probes, { setting: 'ops.probes', address: at.probes ?? '', scheme: 'http' }))
  return { url, opsUrl, probesUrl }
}

type Listener = Parameters<typeof listenOn>[0]

interface RunningServer {
  gateway: Gateway
  resources: Resources
}

function createServerReloader(
  source: ConfigSource | undefined,
  { gateway, resources }: RunningServer,
): Reloader | undefined {
  const { readiness, metrics, audit, log } = resources
  const apply = createApply({ gateway, resources })
  return (
    source &&
    createReloader({ source, running: () => gateway.snapshot().config, apply, readiness, metrics, audit, log })
  )
}

/** The ops listener; in a cluster `opsSources` speaks for all workers. */
function createOpsListener(
  of: RunningServer & {
    opsSources: MergedOpsSources
    reload?: () => Promise<ReloadResult>
  },
) {
  const { resources, opsSources, gateway, reload } = of
  const running = () => gateway.snapshot().config
  return createOps({
    ...resources,
    metrics: opsSources.metrics,
    readiness: opsSources.readiness,
    observed: opsSources.observed,
    adminToken: () => running().ops.adminToken,
    sessions: gateway.sessions,
    limit: createRateLimit({ ...resources, name: 'admin', rate: () => running().limits.logins }),
    breakglass: {
      ...resources,
      issuer: resources.breakglass,
      url: () => breakglassUrl(running()),
      directory: gateway.directory,
    },
    access: createAccessReader(gateway),
    rehearsal: {
      ...resources,
      rehearsals: gateway.rehearsals,
      sessions: gateway.sessions,
      settings: () => {
        const { publicUrl, prefix } = running()
        return { publicUrl, paths: createPaths(prefix) }
      },
    },
    ...(reload ? { reload } : {}),
  })
}

function breakglassUrl({ publicUrl, prefix }: Config): string {
  return publicUrl + createPaths(prefix).breakglass
}

/** Applies a configuration, completely or not at all. The returned function rejects when a part of it cannot be used. */
function createApply({ gateway, resources }: RunningServer): (next: Config) => Promise<void> {
  const { keyring, createKeyringFor, auditLog, loadShedding, log, readiness } = resources

  return async next => {
    if (differInAgentsFiles(gateway.snapshot().config, next)) return gateway.replaceAgents(next)
    const nextKeyring = createKeyringFor(next)
    const prepared = await gateway.prepare(next, nextKeyring)
    try {
      if (next.tls) createSecureContext(serverTls(next.tls))
    } catch (error) {
      await prepared.discard()
      throw error
    }
    // Nothing below can fail or wait: the next request gets all of it.
    keyring.replace(nextKeyring)
    prepared.activate()
    if (next.tls) (gateway.app.server as unknown as TlsServer).setSecureContext(serverTls(next.tls))
    log.level = next.log.level
    auditLog.sendTo(next.audit.to)
    readiness.mode(next.mode)
    loadShedding.limitMemory(memoryLimitOf(next))
  }
}
