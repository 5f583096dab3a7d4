// Several workers behind one port: the first process forks them, hands them the connections in turn (node:cluster), puts
// another in the place of one that dies, and ends them all. It serves nothing itself and holds no secret but its settings.

import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import type { Config } from '../../config/schema/index.js'
import type { Clock, Random } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { ReloadCause } from '../reload.js'
import type { Addresses, Ending } from '../server.js'
import { createSurvey } from './aggregate.js'
import { type FromFirst, type FromWorker, isOurs } from './ipc.js'
import type { CrewState } from './merge.js'
import { type Berth, createBerths, type Hand } from './supervisor.js'
import { numberVariable } from './worker-link.js'

export { joinCrew, type Link } from './worker-link.js'

export interface Crew {
  /** Drains all workers; throws when one of them did not end in an orderly way. */
  close(ending?: Ending): Promise<void>
  /** All workers read their configuration again. */
  reload(cause: ReloadCause): void
  /** Ends them at once. */
  kill(): void
}

export interface CrewDeps {
  count: number
  clock: Clock
  random: Random
  log: Log
  /** The first worker could not start, and has said why on stderr. */
  onHopeless(): void
}

/** How many processes `workers` asks for: `auto` is one for each core that this process may use. */
export function workersOf({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** Starts the workers with this process's own command line and variables: each reads the configuration itself. */
export function startCrew(deps: CrewDeps): Crew {
  const { count, log } = deps
  const state: CrewState = { draining: false, complete: false, listening: 0, of: count }
  const current = (): CrewState => ({ ...state, listening: berths.all.filter(({ listening }) => listening).length })
  const survey = createSurvey({ berths: () => berths.all, state: current })
  const reload = (cause: ReloadCause, except?: Berth) => {
    for (const berth of berths.all) {
      if (berth !== except) berth.hand?.send({ deskgate: 'reload', cause } satisfies FromFirst)
    }
  }
  const hear = (berth: Berth, said: FromWorker) => {
    if (said.deskgate === 'ask') survey.ask(berth, said).catch(error => log.error({ error: String(error) }, 'survey'))
    if (said.deskgate === 'part') survey.take(berth, said)
    if (said.deskgate === 'reload others') reload('api', berth)
    if (said.deskgate !== 'listening') return
    berths.listening(berth)
    log.info({ worker: berth.number, pid: berth.hand?.pid }, 'a worker listens')
    if (state.complete || current().listening < count) return
    state.complete = true
    log.info({ ...said.addresses, workers: count } satisfies Addresses & { workers: number }, 'listening')
  }
  // Not by the system's own choice: it favours a few workers, and the connections of one that dies are lost with it.
  cluster.schedulingPolicy = cluster.SCHED_RR
  const berths = createBerths({
    ...deps,
    onHopeless: () => deps.onHopeless(),
    onDeath: berth => survey.died(berth),
    fork: (berth, onExit) => fork(berth, { hear, onExit }),
  })
  berths.start()

  return {
    async close({ serveOn = 0 } = {}) {
      state.draining = true
      log.info({ serveOn, workers: current().listening }, 'draining')
      const exits = await berths.close({ deskgate: 'drain', serveOn } satisfies FromFirst)
      const bad = exits.filter(({ code }) => code !== 0).length
      if (bad === 0) return
      log.error({ workers: exits.length, bad }, 'workers did not end in an orderly way')
      throw new Error('workers did not end in an orderly way')
    },
    reload,
    kill: () => berths.kill(),
  }
}

interface Ears {
  hear(berth: Berth, said: FromWorker): void
  onExit(exit: { code: number | null; signal: string | null }): void
}

function fork(berth: Berth, { hear, onExit }: Ears): Hand {
  const worker = cluster.fork({ [numberVariable]: String(berth.number) })
  worker.on('message', message => {
    if (isOurs(message)) hear(berth, message as FromWorker)
  })
  worker.once('exit', (code, signal) => onExit({ code, signal }))
  worker.on('error', () => {})
  return {
    pid: worker.process.pid,
    // A worker that is just ending hears nothing any more; its exit says the rest.
    send: message => void (worker.isConnected() && worker.send(message, () => {})),
    kill: () => void worker.process.kill('SIGKILL'),
  }
}
