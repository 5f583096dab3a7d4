// The places of the workers: each is filled by one process, and filled again when it dies, at first at once and then ever
// more slowly. Only a crew of which nobody has ever listened is given up: its configuration cannot start.

import type { Clock, Random } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import { restartAfter } from './backoff.js'

/** One worker's process. */
export interface Hand {
  pid: number | undefined
  send(message: object): void
  /** Ends it at once. */
  kill(): void
}

export interface Exit {
  code: number | null
  signal: string | null
}

export interface Berth {
  /** From 1, the same after a restart. */
  number: number
  hand: Hand | undefined
  listening: boolean
}

export interface Berths {
  all: readonly Berth[]
  /** The first worker alone: the others follow when it listens, so that what is wrong with the start is said once. */
  start(): void
  /** A worker accepts connections. */
  listening(berth: Berth): void
  /** Starts none any more; resolves with how each ended once all are gone. */
  close(message: object): Promise<Exit[]>
  kill(): void
}

export interface BerthsDeps {
  count: number
  /** Starts a process; `onExit` is called once. */
  fork(berth: Berth, onExit: (exit: Exit) => void): Hand
  /** No worker has ever listened, and the one that tried is gone. */
  onHopeless(exit: Exit): void
  /** Each death but that of an orderly end. */
  onDeath(berth: Berth): void
  clock: Clock
  random: Random
  log: Log
}

/** A worker that has listened for so many milliseconds is no longer one that dies at its start. */
const sound = 60_000

interface Place extends Berth {
  deaths: number
  since: number
  timer: NodeJS.Timeout | undefined
}

export function createBerths(deps: BerthsDeps): Berths {
  const { clock, log, random } = deps
  const all: Place[] = Array.from({ length: deps.count }, (_, at) => ({
    ...{ number: at + 1, hand: undefined, listening: false },
    ...{ deaths: 0, since: Number.POSITIVE_INFINITY, timer: undefined },
  }))
  const exits: Exit[] = []
  let begun = false
  let closing: (() => void) | undefined

  const fill = (place: Place) => {
    place.hand = deps.fork(place, exit => left(place, exit))
  }
  const left = (place: Place, exit: Exit) => {
    const pid = place.hand?.pid
    const lived = clock.now() - place.since
    Object.assign(place, { hand: undefined, listening: false, since: Number.POSITIVE_INFINITY })
    if (closing) {
      exits.push(exit)
      return closing()
    }
    if (!begun) return deps.onHopeless(exit)
    deps.onDeath(place)
    place.deaths = lived >= sound ? 1 : place.deaths + 1
    const wait = restartAfter(place.deaths, random)
    const facts = { worker: place.number, pid, ...exit, deaths: place.deaths, wait }
    log.error(facts, 'a worker has died; another one takes its place')
    place.timer = setTimeout(() => fill(place), wait)
  }

  return {
    all,
    start() {
      const [first] = all
      if (first) fill(first)
    },
    listening(berth) {
      const place = all.find(({ number }) => number === berth.number)
      if (!place) return
      Object.assign(place, { listening: true, since: clock.now() })
      if (begun || closing) return
      begun = true
      for (const other of all) if (!other.hand) fill(other)
    },
    close(message) {
      for (const { timer } of all) clearTimeout(timer)
      return new Promise(resolve => {
        closing = () => {
          if (all.every(({ hand }) => hand === undefined)) resolve(exits)
        }
        closing()
        for (const { hand } of all) hand?.send(message)
      })
    },
    kill() {
      for (const { hand } of all) hand?.kill()
    },
  }
}
