// The primary process of a cluster: forks the workers, distributes connections among them in turn (node:cluster), replaces
// a worker that dies, and shuts them down. It serves no requests itself.

import cluster from 'node:cluster'
import type { ReloadCause } from '../reload.js'
import type { Addresses, ShutdownTimes } from '../server.js'
import type { ClusterState } from './aggregate.js'
import { createAggregator } from './aggregate.js'
import { createSupervisor, type ProcessHandle, type SupervisorDeps, type WorkerSlot } from './supervisor.js'
import { type FromPrimary, type FromWorker, isOurs, numberVariable } from './worker-link.js'

export { joinCluster, type WorkerLink } from './worker-link.js'

export interface Primary {
  /** Drains all workers; rejects when one of them did not exit with 0. */
  close(times?: ShutdownTimes): Promise<void>
  reload(cause: ReloadCause): void
  /** Kills all workers at once. */
  kill(): void
}

export interface PrimaryDeps extends Pick<SupervisorDeps, 'count' | 'clock' | 'random' | 'log'> {
  /** The first worker could not start; it has printed the reason on stderr. */
  onStartFailed(): void
}

/** Starts the workers with this process's command line and environment: each reads the configuration itself. */
export function startPrimary(deps: PrimaryDeps): Primary {
  const { count, log } = deps
  const state: ClusterState = { draining: false, complete: false, listening: 0, of: count }
  const clusterState = (): ClusterState => ({
    ...state,
    listening: supervisor.slots.filter(({ listening }) => listening).length,
  })
  const aggregator = createAggregator({ slots: () => supervisor.slots, state: clusterState })
  const reload = (cause: ReloadCause, except?: WorkerSlot) => {
    for (const slot of supervisor.slots) {
      if (slot !== except) slot.handle?.send({ deskgate: 'reload', cause } satisfies FromPrimary)
    }
  }
  const onMessage = (slot: WorkerSlot, message: FromWorker) => {
    if (message.deskgate === 'ask')
      aggregator.ask(slot, message).catch(error => log.error({ error: String(error) }, 'worker query failed'))
    if (message.deskgate === 'part') aggregator.addPart(slot, message)
    if (message.deskgate === 'reload others') reload('api', slot)
    if (message.deskgate !== 'listening') return
    supervisor.listening(slot)
    log.info({ worker: slot.number, pid: slot.handle?.pid }, 'worker listening')
    if (state.complete || clusterState().listening < count) return
    state.complete = true
    log.info({ ...message.addresses, workers: count } satisfies Addresses & { workers: number }, 'listening')
  }
  // The system's own distribution favours a few workers, and connections that wait at one that dies are lost.
  cluster.schedulingPolicy = cluster.SCHED_RR
  const supervisor = createSupervisor({
    ...deps,
    onStartFailed: () => deps.onStartFailed(),
    onWorkerDied: slot => aggregator.workerDied(slot),
    fork: (slot, onExit) => fork(slot, { onMessage, onExit }),
  })
  supervisor.start()

  return {
    async close({ serveOn = 0 } = {}) {
      state.draining = true
      log.info({ serveOn, workers: clusterState().listening }, 'draining')
      const exits = await supervisor.close({ deskgate: 'drain', serveOn } satisfies FromPrimary)
      const bad = exits.filter(({ code }) => code !== 0).length
      if (bad === 0) return
      log.error({ workers: exits.length, bad }, 'workers did not shut down cleanly')
      throw new Error('workers did not shut down cleanly')
    },
    reload,
    kill: () => supervisor.kill(),
  }
}

interface WorkerListeners {
  onMessage(slot: WorkerSlot, message: FromWorker): void
  onExit(exit: { code: number | null; signal: string | null }): void
}

function fork(slot: WorkerSlot, { onMessage, onExit }: WorkerListeners): ProcessHandle {
  const worker = cluster.fork({ [numberVariable]: String(slot.number) })
  worker.on('message', message => {
    if (isOurs(message)) onMessage(slot, message as FromWorker)
  })
  worker.once('exit', (code, signal) => onExit({ code, signal }))
  worker.on('error', () => {})
  return {
    pid: worker.process.pid,
    // A worker that is exiting gets no more messages; its exit event follows.
    send: message => void (worker.isConnected() && worker.send(message, () => {})),
    kill: () => void worker.process.kill('SIGKILL'),
  }
}
