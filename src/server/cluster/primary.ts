// The primary process of a cluster: forks the workers, distributes connections among them in turn (node:cluster), replaces
// a worker that dies, and shuts them down. It serves no requests itself.

import cluster from 'node:cluster'
import type { ReloadCause } from '../reload.js'
import type { Addresses, ShutdownTimes } from '../server.js'
import { type ClusterState, createAggregator } from './aggregate.js'
import {
  createSupervisor,
  type ProcessExit,
  type ProcessHandle,
  type SupervisorDeps,
  type WorkerSlot,
} from './supervisor.js'
import { type FromPrimary, type FromWorker, isOurs, numberVariable } from './worker-link.js'

export interface Primary {
  /** Drains all workers; rejects when one of them did not exit with 0. */
  close(times?: ShutdownTimes): Promise<void>
  /** Resolves when every worker has reloaded, or refused to. */
  reload(cause: ReloadCause): Promise<void>
  /** Kills each listening worker whose event loop has not run since the last call. The supervisor replaces it. */
  killHanging(): void
  /** Kills all workers at once. */
  kill(): void
}

interface PrimaryDeps extends Pick<SupervisorDeps, 'count' | 'clock' | 'random' | 'log'> {
  /** The first worker could not start; it has printed the reason on stderr. */
  onStartFailed(): void
  /** Every worker accepts connections, for the first time. */
  onListening(addresses: Addresses): void
}

/** Starts the workers with this process's command line and environment: each reads the configuration itself. */
export function startPrimary(deps: PrimaryDeps): Primary {
  const { count, log } = deps
  const state: ClusterState = { draining: false, complete: false, listening: 0, of: count }
  const clusterState = (): ClusterState => ({
    ...state,
    listening: supervisor.slots.filter(({ listening }) => listening).length,
  })
  /** Listening workers that have not answered the last ping. */
  const silent = new Set<WorkerSlot>()
  const aggregator = createAggregator({ slots: () => supervisor.slots, state: clusterState })
  const replies = createReplies()
  const reload = async (cause: ReloadCause, except?: WorkerSlot) => {
    const asked = supervisor.slots.filter(slot => slot !== except && slot.handle)
    await Promise.all(asked.map(slot => replies.ask(slot, { deskgate: 'reload', cause })))
  }
  const onMessage = (slot: WorkerSlot, message: FromWorker) => {
    if (message.deskgate === 'ask')
      aggregator.ask(slot, message).catch(error => log.error({ error: String(error) }, 'worker query failed'))
    if (message.deskgate === 'part') aggregator.addPart(slot, message)
    if (message.deskgate === 'reload others') void reload('api', slot)
    if (message.deskgate === 'reloaded') replies.answered(slot)
    if (message.deskgate === 'pong') silent.delete(slot)
    if (message.deskgate !== 'listening') return
    supervisor.listening(slot)
    log.info({ worker: slot.number, pid: slot.handle?.pid }, 'worker listening')
    if (state.complete || clusterState().listening < count) return
    state.complete = true
    log.info({ ...message.addresses, workers: count } satisfies Addresses & { workers: number }, 'listening')
    deps.onListening(message.addresses)
  }
  // The system's own distribution favours a few workers, and connections that wait at one that dies are lost.
  cluster.schedulingPolicy = cluster.SCHED_RR
  const supervisor = createSupervisor({
    ...deps,
    onStartFailed: () => deps.onStartFailed(),
    onWorkerDied: slot => aggregator.workerDied(slot),
    fork: (slot, onExit) => {
      const exited = (exit: ProcessExit) => {
        replies.gone(slot)
        silent.delete(slot)
        onExit(exit)
      }
      return fork(slot, { onMessage, onExit: exited })
    },
  })
  supervisor.start()

  return {
    async close({ serveOn = 0 } = {}) {
      state.draining = true
      log.info({ serveOn, workers: clusterState().listening }, 'draining')
      const exits = await supervisor.close({ deskgate: 'drain', serveOn } satisfies FromPrimary)
      const bad = exits.filter(({ code }) => code !== 0).length
      if (bad === 0) return log.info({ workers: exits.length }, 'shutdown complete')
      log.error({ workers: exits.length, bad }, 'workers did not shut down cleanly')
      throw new Error('workers did not shut down cleanly')
    },
    reload,
    killHanging() {
      for (const slot of silent) {
        log.error({ worker: slot.number, pid: slot.handle?.pid }, 'worker does not respond, killing it')
        slot.handle?.kill()
      }
      silent.clear()
      for (const slot of supervisor.slots.filter(({ listening }) => listening)) {
        silent.add(slot)
        slot.handle?.send({ deskgate: 'ping' } satisfies FromPrimary)
      }
    },
    kill: () => supervisor.kill(),
  }
}

/** Who waits for which worker's reply to a command, in the order of the commands. */
function createReplies() {
  const waiting = new Map<WorkerSlot, (() => void)[]>()
  return {
    ask: (slot: WorkerSlot, command: FromPrimary) =>
      new Promise<void>(resolve => {
        waiting.set(slot, [...(waiting.get(slot) ?? []), resolve])
        slot.handle?.send(command)
      }),
    answered: (slot: WorkerSlot) => waiting.get(slot)?.shift()?.(),
    gone(slot: WorkerSlot) {
      for (const resolve of waiting.get(slot) ?? []) resolve()
      waiting.delete(slot)
    },
  }
}

interface WorkerListeners {
  onMessage(slot: WorkerSlot, message: FromWorker): void
  onExit(exit: ProcessExit): void
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
