// Who may use Desk now, and who waits. A request has a slot of desk.connections until the head of its response arrives; a
// response that continues counts to desk.longAnswers. Attack: one client takes everything. One session, or one address
// without a session, has at most a quarter of either, and those who wait take turns by session or address.

import type { Log } from '../../ops/log.js'
import { type Scheduler, systemScheduler } from '../../runtime/clock.js'
import { createInFlight, type InFlight } from '../../runtime/in-flight.js'
import { createTurns } from '../../runtime/turns.js'
import { cut, type DeskUse, keyOf, longestUnread, quarterOf, usesOf } from './desk-use.js'

export interface DeskQueue {
  /** True: send it now. False: `settle` is called with `begin` or `busy`, perhaps at once. */
  enter(use: DeskUse): boolean
  /** The head of the response has arrived. */
  headReceived(use: DeskUse): void
  /** The response was not complete at once. */
  goesOn(use: DeskUse): void
  /** Whether there is a place in desk.longAnswers for it. */
  hasPlace(use: DeskUse): boolean
  /** Cuts a long response that nobody reads, for one that certainly continues. False: there is none. */
  makePlace(use: DeskUse): boolean
  /** The client has stopped reading. */
  stalled(use: DeskUse): void
  /** The client reads again. */
  reads(use: DeskUse): void
  /** Desk is no longer used, for whatever reason. */
  leave(use: DeskUse): void
  close(): void
}

/** Milliseconds between two checks. */
const interval = 250
/** Checks until a waiting request is refused: ten seconds. */
const patience = 10_000 / interval
/** Checks until a response is a long one, also while its client pauses: a second. */
const settling = 1000 / interval
/** Checks between two warnings. */
const quiet = 60_000 / interval
/** So many requests may wait for each connection. */
const waitingPerConnection = 16

export function createDeskQueue(deps: { log: Pick<Log, 'warn'>; schedule?: Scheduler | undefined }): DeskQueue {
  const { log, schedule = systemScheduler } = deps
  const slots = createInFlight<DeskUse>()
  const long = createInFlight<DeskUse>()
  const waiting = createTurns<DeskUse>()
  /** Requests that Desk does not answer while it answers others, by key: long polls. */
  const polls = new Map<string, number>()
  let [now, pollCount, latestAnswered, warnedAt, pumping] = [0, 0, 0, -quiet, false]

  const connectionsOf = (use: DeskUse) => use.context.snapshot.config.desk.connections
  const hasSlot = (use: DeskUse) => {
    const connections = connectionsOf(use)
    if (slots.all().length >= connections) return false
    const key = keyOf(use)
    return usesOf(slots, key) + (polls.get(key) ?? 0) < quarterOf(connections)
  }
  const hasPlace = (use: DeskUse) => {
    const { longAnswers } = use.context.snapshot.config.desk
    const count = long.all().length + pollCount
    const quarter = quarterOf(longAnswers)
    if (count < quarter) return true
    const key = keyOf(use)
    return count < longAnswers && usesOf(long, key) + (polls.get(key) ?? 0) < quarter
  }
  const occupy = (use: DeskUse, stage: 'sent' | 'kept') => {
    use.queued.stage = stage
    slots.add(use)
  }
  const send = (use: DeskUse) => {
    use.queued.since = now
    occupy(use, 'sent')
  }
  /** Whether one was there: of any key where all places are used; of its own key only one that is unread for a second. */
  const cutUnread = (uses: InFlight<DeskUse>, use: DeskUse, isFull: boolean) => {
    const unread = isFull ? longestUnread(uses, now) : longestUnread(uses, now - settling + 1, keyOf(use))
    if (unread) cut(unread)
    return unread !== undefined
  }
  const makeRoom = (use: DeskUse) => {
    cutUnread(slots, use, slots.all().length >= connectionsOf(use))
  }
  const refuse = (use: DeskUse) => {
    use.queued.stage = 'outside'
    if (now - warnedAt >= quiet) {
      warnedAt = now
      const facts = { connections: slots.all().length, waiting: waiting.size() }
      log.warn(facts, 'no free connection to Desk within 10 s, refusing requests with 503; see desk.connections')
    }
    use.settle('busy')
  }
  const pump = () => {
    pumping = false
    for (let use = waiting.next(hasSlot); use; use = waiting.next(hasSlot)) {
      send(use)
      use.settle('begin')
    }
  }
  /** After everything that arrives in this turn of the event loop: a response that nobody reads takes its slot back. */
  const pumpSoon = () => {
    if (pumping || waiting.size() === 0) return
    pumping = true
    setImmediate(pump)
  }
  const freeSlot = (use: DeskUse) => {
    if (slots.remove(use)) pumpSoon()
  }
  const moveToLong = (use: DeskUse) => {
    freeSlot(use)
    use.queued.stage = 'long'
    long.add(use)
  }
  const countPoll = (use: DeskUse, change: 1 | -1) => {
    const key = keyOf(use)
    const count = (polls.get(key) ?? 0) + change
    pollCount += change
    if (count > 0) polls.set(key, count)
    else polls.delete(key)
  }
  const checkSlot = (use: DeskUse) => {
    const { stage, since, unreadSince } = use.queued
    if (now - since < settling) return
    const { session, api } = use.context
    // Attack: a Desk that answers nobody. What waits for it then keeps its slot.
    const isPoll = stage === 'sent' && latestAnswered >= since + settling && (session ?? api) !== undefined
    if (isPoll && hasPlace(use)) {
      use.queued.stage = 'poll'
      countPoll(use, 1)
      freeSlot(use)
    }
    if (stage !== 'kept' || (unreadSince >= 0 && now - unreadSince >= settling) || !hasPlace(use)) return
    use.queued.settled = true
    moveToLong(use)
  }
  const check = () => {
    now++
    for (const use of waiting.takeDue(({ queued }) => now - queued.since > patience)) refuse(use)
    for (const use of [...slots.all()]) checkSlot(use)
    for (const { queued } of long.all()) queued.settled ||= now - queued.since >= settling
    for (const use of waiting.heads()) makeRoom(use)
    timer = schedule(check, interval)
  }
  let timer = schedule(check, interval)

  return {
    enter(use) {
      const connections = connectionsOf(use)
      // No key can have more than its quarter then.
      const isQuiet = slots.all().length < quarterOf(connections) && pollCount === 0 && waiting.size() === 0
      if (isQuiet || hasSlot(use)) {
        send(use)
        return true
      }
      if (waiting.size() >= connections * waitingPerConnection) refuse(use)
      else {
        use.queued.stage = 'waiting'
        use.queued.since = now
        waiting.add(keyOf(use), use)
        makeRoom(use)
      }
      return false
    },
    headReceived(use) {
      const { queued } = use
      if (queued.stage === 'poll') countPoll(use, -1)
      else if (queued.stage === 'sent') freeSlot(use)
      else return
      if (queued.since > latestAnswered) latestAnswered = queued.since
      queued.stage = 'head'
      queued.since = now
    },
    goesOn(use) {
      if (use.queued.stage !== 'head') return
      if (hasPlace(use)) moveToLong(use)
      else occupy(use, 'kept')
    },
    hasPlace,
    makePlace(use) {
      const { longAnswers } = use.context.snapshot.config.desk
      return cutUnread(long, use, long.all().length + pollCount >= longAnswers)
    },
    stalled(use) {
      const { queued } = use
      queued.unreadSince = now
      if (queued.stage !== 'long' || queued.settled) return
      long.remove(use)
      occupy(use, 'kept')
      const isOver = slots.all().length > connectionsOf(use)
      const unread = isOver ? longestUnread(slots, now + 1) : undefined
      if (unread) cut(unread)
    },
    reads(use) {
      const { queued } = use
      queued.unreadSince = -1
      if (queued.stage === 'kept' && hasPlace(use)) moveToLong(use)
    },
    leave(use) {
      const { queued } = use
      if (queued.stage === 'waiting') waiting.remove(keyOf(use), use)
      if (queued.stage === 'poll') countPoll(use, -1)
      freeSlot(use)
      long.remove(use)
      queued.stage = 'outside'
      queued.unreadSince = -1
    },
    close: () => timer.cancel(),
  }
}
