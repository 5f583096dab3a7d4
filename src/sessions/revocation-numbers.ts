// Every revocation takes the next number before its record goes, and carries it in its message. A process compares the number
// in the store with what it has heard: so it finds out that it has missed a revocation, whatever the reason. See ADR 0021.

import type { Clock } from '../core/clock.js'
import type { Store } from '../core/store.js'
import { type Scheduler, systemScheduler } from '../runtime/clock.js'
import type { Moment } from './cache.js'

export interface RevocationNumbers {
  /** The number of a revocation that has not happened yet. Never rejects; undefined: none could be taken, and none agrees now. */
  take(): Promise<number | undefined>
  /** A revocation was heard of; without a number it comes from a process of a former release. */
  heard(number: number | undefined): void
  /** A process of a former release is running beside this one. */
  former(): void
  /** The subscription is made, or lost. */
  connected(): void
  disconnected(): void
  /** Compares now, unless that is under way. Never throws. */
  compare(): void
  /** Revocations without a number are possible, or one may be half done: nothing is to be used long after it was read. */
  isCareful(): boolean
}

export interface RevocationNumbersDeps {
  store: Pick<Store, 'get' | 'count' | 'delete'>
  clock: Clock
  /** Milliseconds that no one can set. */
  monotonic(): number
  schedule?: Scheduler | undefined
  /** Everything that has ended before then was heard of. */
  agreed(at: Moment): void
  /** The number could not be compared. */
  failed(): void
  /** What was read until now may have ended. */
  distrust(): void
  /** The same, and it is known that messages were lost. */
  missed(why: string): void
}

const key = 'ended:seq'
const day = 86_400_000
/** A key that nobody needs any more goes; if it is needed, it costs one reading of every session. */
const lifetime = 365 * day
/** Milliseconds between a number that was counted and its message: a command may take 0.8 s. */
const messageTime = 2000
/** After a subscription, or a gap: a revocation may have its number and still have its record. A former release probes every 15 s. */
const carefulAfterGap = 60_000
const carefulAfterFormer = 600_000
/** Numbers that are remembered while an earlier one has not been heard. */
const maxAhead = 10_000

export function createRevocationNumbers(deps: RevocationNumbersDeps): RevocationNumbers {
  const { store, clock, monotonic, schedule = systemScheduler } = deps
  /** All numbers up to here were heard; undefined: the store's number is not known, or there is none. */
  let known: number | undefined
  /** Where counting began here: earlier messages may still arrive. */
  let base = 0
  const ahead = new Set<number>()
  /** A comparison that agrees once all messages up to its number have come. */
  let awaited: { number: number; at: Moment; timer: { cancel(): void } } | undefined
  /** What belongs to an earlier subscription, or to the time before a gap, says nothing about the present. */
  let term = 0
  let comparing = false
  /** Whether the store has been asked since then. */
  let compared = false
  let carefulUntil = monotonic() + carefulAfterGap
  /** A revocation could neither be counted nor break the count. */
  let owed = false

  const begin = () => {
    term++
    known = undefined
    ahead.clear()
    awaited?.timer.cancel()
    awaited = undefined
    comparing = false
    compared = false
  }
  const isCareful = () => known === undefined || !(monotonic() >= carefulUntil)
  const beCareful = (time: number) => {
    carefulUntil = Math.max(carefulUntil, monotonic() + time)
  }
  const settle = () => {
    if (!awaited || known === undefined || known < awaited.number) return
    awaited.timer.cancel()
    deps.agreed(awaited.at)
    awaited = undefined
  }
  const follow = () => {
    while (known !== undefined && ahead.delete(known + 1)) known++
    settle()
  }
  /** Counts from this number on. */
  const startFrom = (number: number) => {
    beCareful(carefulAfterGap)
    known = number
    base = number
    for (const one of ahead) if (one <= number) ahead.delete(one)
    follow()
  }
  const gap = (why: string) => {
    begin()
    deps.missed(why)
    compare()
  }
  const take = async () => {
    try {
      // Numbers that begin anew after the store has lost them are never numbers that were heard before.
      const number = await store.count(key, lifetime, Math.floor(clock.now()) * 1000)
      owed = false
      return number
    } catch {
      // A Redis that is full counts no more, but deletes. Without a number nothing agrees.
      owed = await store.delete([key]).then(
        () => false,
        () => true,
      )
      return undefined
    }
  }
  /** The store has no number: it is new, it has lost everything, or it could not count. */
  const startCounting = async (at: Moment, isFirst: boolean) => {
    if (known !== undefined) return gap('the revocation counter is missing from the store')
    deps.agreed(at)
    if (isFirst) return
    const current = term
    const number = await take()
    if (current === term && known === undefined && number !== undefined) startFrom(number)
  }
  const judge = (number: number | undefined, before: number | undefined, at: Moment) => {
    const isFirst = !compared
    compared = true
    if (number === undefined) return void startCounting(at, isFirst)
    if (before === undefined) {
      startFrom(number)
      return deps.agreed(at)
    }
    if (number < before) return gap('the revocation counter has gone backwards')
    if (known !== undefined && number <= known) return deps.agreed(at)
    awaited ??= { number, at, timer: schedule(() => gap('a revocation message was missed'), messageTime) }
  }
  const former = () => {
    if (!isCareful()) deps.distrust()
    beCareful(carefulAfterFormer)
  }
  const heard = (number: number) => {
    if (known === undefined || number > known + 1) {
      ahead.add(number)
      if (ahead.size > maxAhead) gap('too many revocation messages were missed')
    } else if (number === known + 1) {
      known = number
      follow()
      // Twice the same: the store has lost what it had counted.
    } else if (number > base) gap('a revocation number arrived twice')
  }
  const compare = () => {
    if (comparing) return
    comparing = true
    const [current, before, at] = [term, known, { at: clock.now(), tick: monotonic() }]
    if (owed) void take()
    store.get(key).then(
      stored => {
        if (current !== term) return
        comparing = false
        judge(numberOf(stored), before, at)
      },
      () => {
        if (current !== term) return
        comparing = false
        deps.failed()
      },
    )
  }

  return {
    take,
    heard: number => (number === undefined ? former() : heard(number)),
    former,
    connected() {
      begin()
      compare()
    },
    disconnected: begin,
    compare,
    isCareful,
  }
}

/** Anyone who can write to the store can put anything there: what is not a number is none. */
function numberOf(stored: Buffer | undefined): number | undefined {
  const text = stored?.toString('latin1') ?? ''
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}
