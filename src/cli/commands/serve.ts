// `deskgate serve`: one process, or the first of several and its workers. From the start to an end in which no request is
// lost: which signal means what, and how much time the end may take.

import closeWithGrace, { type Options, type Signals } from 'close-with-grace'
import type { Config } from '../../config/schema/index.js'
import { createLog } from '../../ops/log.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { stayWarm } from '../../runtime/v8-flags.js'
import { type Crew, joinCrew, type Link, startCrew, workersOf } from '../../server/cluster/primary.js'
import type { ConfigSource } from '../../server/reload.js'
import { type Ending, type Server, type ServerDeps, startServer } from '../../server/server.js'
import type { Io } from '../io.js'
import { configFile, configuration, loadWhole } from './configuration.js'

export interface ServeOptions {
  config?: string
}

/** Lives on until a signal. The exit code is 1 when the configuration has a problem. */
export async function serve(options: ServeOptions, io: Io): Promise<void> {
  stayWarm()
  const link = joinCrew(io.env)
  if (link) return work(options, link, io)
  // While it starts there is nothing to reload, and a signal that nobody hears would end it.
  let hangup = () => {}
  process.on('SIGHUP', () => hangup())
  const config = await configuration(options.config, io)
  if (!config) {
    process.exitCode = 1
    return
  }
  const deps = { clock: systemClock, random: systemRandom, log: createLog(config.log) }
  const count = workersOf(config)
  if (count > 1) {
    const crew = lead(config, { ...deps, count }, io)
    hangup = () => crew.reload('signal')
    return
  }
  const server = await startServer(config, { ...deps, source: sourceOf(options, io) })
  hangup = () => void server.reload('signal')
  untilSignal(server, { drain: config.drain, io }, { skip: ['SIGHUP'] })
}

function sourceOf({ config }: ServeOptions, { env }: Io): ConfigSource {
  const file = configFile(config, env)
  return { load: running => loadWhole(file, env, running) }
}

/** The first of several processes. */
function lead({ drain }: Config, deps: { count: number } & Pick<ServerDeps, 'clock' | 'random' | 'log'>, io: Io): Crew {
  const crew = startCrew({ ...deps, onHopeless: () => process.exit(1) })
  const kill = () => crew.kill()
  // The workers keep to the drain by themselves; this is for one that cannot any more.
  const late = { delay: atLeast(drain) + 1000, onTimeout: kill, onSecondSignal: kill }
  untilSignal(crew, { drain, io }, { ...late, skip: ['SIGHUP'] })
  return crew
}

/** One of several processes behind the same port. It says nothing that the first one has said. */
async function work(options: ServeOptions, link: Link, io: Io): Promise<void> {
  let begun: ((serveOn: number) => void) | undefined
  // Told to end before there is anything to end.
  link.onDrain(serveOn => (begun ?? (() => process.exit(0)))(serveOn))
  try {
    const config = await configuration(options.config, io, 'problems')
    if (!config) process.exit(1)
    const log = createLog({ ...config.log, worker: link.number })
    const source = sourceOf(options, io)
    const server = await startServer(config, { clock: systemClock, random: systemRandom, log, source, ...link })
    link.onReload(cause => void server.reload(cause))
    let serveOn = 0
    const grace = closeWithGrace({ delay: atLeast(config.drain), logger: false, skip: signals }, async ({ err }) => {
      if (err) sayCrash(err, io)
      await server.close(endingOf(config.drain, serveOn))
    })
    begun = ms => {
      serveOn = ms
      grace.close()
    }
  } catch (error) {
    io.err(`deskgate: worker ${link.number}: ${(error as Error).message}`)
    // The channel to the first process would keep this one alive.
    process.exit(1)
  }
}

/** Those that the first of several processes hears for all. */
const signals: Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/**
 * A first signal closes in an orderly way within `drain` milliseconds, a second ends at once. SIGTERM comes from what
 * takes this process out of a fleet: a third of the time goes to serving on while balancers notice. SIGINT comes from a
 * person, who does not want to wait for that.
 */
export function untilSignal(
  server: Pick<Server, 'close'>,
  { drain, io }: { drain: number; io: Io },
  options: Partial<Options> = {},
): void {
  closeWithGrace({ delay: atLeast(drain), logger: false, ...options }, async ({ err, signal }) => {
    if (err) sayCrash(err, io)
    await server.close(endingOf(drain, signal === 'SIGTERM' ? Math.floor(drain / 3) : 0))
  })
}

/** A tenth of the drain is left for closing what is behind the listeners. */
function endingOf(drain: number, serveOn: number): Ending {
  return { serveOn, finish: Math.max(0, Math.floor(drain * 0.9) - serveOn) }
}

/** Also with `drain: 0s` connections are closed and the store is left in an orderly way. */
function atLeast(drain: number): number {
  return Math.max(drain, 1000)
}

function sayCrash(error: Error, io: Io): void {
  io.err(`deskgate: ${error.stack ?? error.message}`)
}
