// `deskgate serve`: runs one process, or a primary process and its workers, until a signal. It decides what each signal
// means and how long a shutdown may take; a shutdown loses no request.

import closeWithGrace, { type Options, type Signals } from 'close-with-grace'
import type { Config } from '../../config/schema/index.js'
import type { ReloadResult } from '../../ops/api.js'
import { createLog } from '../../ops/log.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { createServiceManager, type ServiceManager } from '../../runtime/service-manager.js'
import { tuneProcess } from '../../runtime/tuning.js'
import { type Primary, startPrimary } from '../../server/cluster/primary.js'
import { joinCluster, type WorkerLink } from '../../server/cluster/worker-link.js'
import type { ConfigSource } from '../../server/reload.js'
import { workerCount } from '../../server/resources.js'
import { type Server, type ServerDeps, type ShutdownTimes, startServer } from '../../server/server.js'
import type { Io } from '../io.js'
import { configFile, createConfigSource, readConfiguration, readFallback } from './configuration.js'

interface ServeOptions {
  config?: string
  /** Files to start with while the configuration is invalid; the first reload then reports it as rejected. */
  fallback?: string[]
  version: string
}

/** Runs until a signal. The exit code is 1 when the configuration has a problem. */
export async function serve(options: ServeOptions, io: Io): Promise<void> {
  const link = joinCluster(io.env)
  if (link) return runWorker(options, link, io)
  // A SIGHUP without a listener would end the process while it starts.
  let onHangup = () => {}
  process.on('SIGHUP', () => onHangup())
  const config = await readStart(options, io, 'all')
  if (!config) {
    process.exitCode = 1
    return
  }
  const deps = { clock: systemClock, random: systemRandom, log: createLog(config.log) }
  const count = workerCount(config)
  const service = createServiceManager({ env: io.env, pid: process.pid, log: deps.log })
  if (count > 1) {
    const primary = runPrimary(config, { ...deps, count, service }, io)
    onHangup = () =>
      void service.reload(() => primary.reload('signal').then(() => 'Reload finished; the log has the result'))
    return
  }
  tuneProcess(config.runtime.tuning)
  const server = await startServer(config, { ...deps, version: options.version, source: sourceOf(options, io) })
  onHangup = () => void service.reload(async () => statusOf(await server.reload('signal')))
  service.ready(`Listening on ${server.url}`)
  service.watch()
  untilSignal(announced(server, service), { drain: config.drain, io }, { skip: ['SIGHUP'] })
}

async function readStart({ config, fallback = [] }: ServeOptions, io: Io, print: 'all' | 'problems') {
  return (await readConfiguration(config, io, print, 'warning')) ?? (await readFallback(fallback, io, 'warning'))
}

function statusOf({ applied }: ReloadResult): string {
  return applied
    ? 'Configuration reloaded'
    : 'Configuration rejected, keeping the previous one; the log has the problems'
}

/** Tells the service manager before it shuts down. */
function announced({ close }: Pick<Server, 'close'>, service: ServiceManager): Pick<Server, 'close'> {
  return {
    async close(times) {
      const told = service.stopping('Draining')
      await close(times)
      await told
    },
  }
}

function sourceOf({ config }: ServeOptions, { env }: Io): ConfigSource {
  return createConfigSource(configFile(config, env), env)
}

/** The primary process of a cluster. */
function runPrimary(
  { drain }: Config,
  deps: { count: number; service: ServiceManager } & Pick<ServerDeps, 'clock' | 'random' | 'log'>,
  io: Io,
): Primary {
  const { service, count } = deps
  const primary = startPrimary({
    ...deps,
    onStartFailed: () => process.exit(1),
    onListening({ url }) {
      service.ready(`Listening on ${url}, ${count} workers`)
      service.watch(() => primary.killHanging())
    },
  })
  const kill = () => primary.kill()
  // Workers keep to the drain by themselves; this kills one that hangs.
  const timeout = { delay: closeDelay(drain) + 1000, onTimeout: kill, onSecondSignal: kill }
  untilSignal(announced(primary, service), { drain, io }, { ...timeout, skip: ['SIGHUP'] })
  return primary
}

/** A worker of a cluster. It prints no warnings: the primary has printed them. */
async function runWorker(options: ServeOptions, link: WorkerLink, io: Io): Promise<void> {
  let drain: ((serveOn: number) => void) | undefined
  // Before the server has started there is nothing to drain.
  link.onDrain(serveOn => (drain ?? (() => process.exit(0)))(serveOn))
  try {
    const config = await readStart(options, io, 'problems')
    if (!config) process.exit(1)
    tuneProcess(config.runtime.tuning)
    const log = createLog({ ...config.log, worker: link.number })
    const deps = { clock: systemClock, random: systemRandom, log, version: options.version }
    const server = await startServer(config, { ...deps, source: sourceOf(options, io), ...link })
    link.onReload(server.reload)
    let serveOn = 0
    const grace = closeWithGrace({ delay: closeDelay(config.drain), logger: false, skip: signals }, async ({ err }) => {
      if (err) reportCrash(err, io)
      await server.close(shutdownTimes(config.drain, serveOn))
    })
    drain = ms => {
      serveOn = ms
      grace.close()
    }
  } catch (error) {
    io.err(`deskgate: worker ${link.number}: ${(error as Error).message}`)
    // The channel to the primary would keep this process alive.
    process.exit(1)
  }
}

/** Signals that the primary handles for its workers. */
const signals: Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/**
 * The first signal closes in an orderly way within `drain` milliseconds, the second ends at once. SIGTERM usually comes
 * from an orchestrator: a third of the time goes to serving while load balancers notice. SIGINT comes from a person at a
 * terminal, and skips that part.
 */
export function untilSignal(
  server: Pick<Server, 'close'>,
  { drain, io }: { drain: number; io: Io },
  options: Partial<Options> = {},
): void {
  closeWithGrace({ delay: closeDelay(drain), logger: false, ...options }, async ({ err, signal }) => {
    if (err) reportCrash(err, io)
    await server.close(shutdownTimes(drain, signal === 'SIGTERM' ? Math.floor(drain / 3) : 0))
  })
}

/** A tenth of the drain is left for closing the resources behind the listeners. */
function shutdownTimes(drain: number, serveOn: number): ShutdownTimes {
  return { serveOn, finish: Math.max(0, Math.floor(drain * 0.9) - serveOn) }
}

/** At least a second, so that connections and the store are closed in an orderly way even with `drain: 0s`. */
function closeDelay(drain: number): number {
  return Math.max(drain, 1000)
}

function reportCrash(error: Error, io: Io): void {
  io.err(`deskgate: ${error.stack ?? error.message}`)
}
