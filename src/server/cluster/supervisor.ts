// Keeps one process running in each worker slot: a worker that dies is restarted, with growing delays and without end. It
// gives up only when no worker has ever listened: then the configuration cannot start.

import type { Clock, Random } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import { backoffDelay } from '../../runtime/clock.js'

export interface ProcessHandle {
  pid: number | undefined
  send(message: object): void
  kill(): void
}

export interface ProcessExit {
  code: number | null
  signal: string | null
}

export interface WorkerSlot {
  /** Starts at 1, stays the same after a restart. */
  number: number
  handle: ProcessHandle | undefined
  listening: boolean
}

interface Supervisor {
  slots: readonly WorkerSlot[]
  /** Starts the first worker; the others follow when it listens, so that a failing start is reported once. */
  start(): void
  /** Has to be called when a worker accepts connections. */
  listening(slot: WorkerSlot): void
  /** Sends `message` to all workers, restarts none, and resolves with their exits once all have exited. */
  close(message: object): Promise<ProcessExit[]>
  kill(): void
}

export interface SupervisorDeps {
  count: number
  /** Starts a process; `onExit` is called once. */
  fork(slot: WorkerSlot, onExit: (exit: ProcessExit) => void): ProcessHandle
  /** The first worker exited before it listened. */
  onStartFailed(exit: ProcessExit): void
  /** A worker exited while none was asked to. */
  onWorkerDied(slot: WorkerSlot): void
  clock: Clock
  random: Random
  log: Log
}

/** A worker that has listened for this many milliseconds has started well: its count of deaths begins again. */
const stableAfter = 60_000
const restartDelays = { first: 100, longest: 30_000 }

interface SupervisedSlot extends WorkerSlot {
  /** In a row. */
  deaths: number
  /** When it began to listen, in milliseconds since the epoch. */
  listeningSince: number
  timer: NodeJS.Timeout | undefined
}

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const { clock, log, random } = deps
  const slots: SupervisedSlot[] = Array.from({ length: deps.count }, (_, at) => ({
    ...{ number: at + 1, handle: undefined, listening: false },
    ...{ deaths: 0, listeningSince: Number.POSITIVE_INFINITY, timer: undefined },
  }))
  const exits: ProcessExit[] = []
  let everListened = false
  let closing: (() => void) | undefined

  const startIn = (slot: SupervisedSlot) => {
    slot.handle = deps.fork(slot, exit => exited(slot, exit))
  }
  const exited = (slot: SupervisedSlot, exit: ProcessExit) => {
    const pid = slot.handle?.pid
    const served = clock.now() - slot.listeningSince
    Object.assign(slot, { handle: undefined, listening: false, listeningSince: Number.POSITIVE_INFINITY })
    if (closing) {
      exits.push(exit)
      return closing()
    }
    if (!everListened) return deps.onStartFailed(exit)
    deps.onWorkerDied(slot)
    slot.deaths = served >= stableAfter ? 1 : slot.deaths + 1
    const wait = backoffDelay(slot.deaths, restartDelays, random)
    const facts = { worker: slot.number, pid, ...exit, deaths: slot.deaths, wait }
    log.error(facts, 'worker died, starting another one')
    slot.timer = setTimeout(() => startIn(slot), wait)
  }

  return {
    slots,
    start() {
      const [first] = slots
      if (first) startIn(first)
    },
    listening({ number }) {
      const slot = slots[number - 1]
      if (!slot) return
      Object.assign(slot, { listening: true, listeningSince: clock.now() })
      if (everListened || closing) return
      everListened = true
      for (const other of slots) if (!other.handle) startIn(other)
    },
    close(message) {
      for (const { timer } of slots) clearTimeout(timer)
      return new Promise(resolve => {
        closing = () => {
          if (slots.every(({ handle }) => handle === undefined)) resolve(exits)
        }
        closing()
        for (const { handle } of slots) handle?.send(message)
      })
    },
    kill() {
      for (const { handle } of slots) handle?.kill()
    },
  }
}
