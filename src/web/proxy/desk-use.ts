// One use of Desk: a request, a WebSocket, or a request of the gateway itself; whose it is, and which one is cut first.

import { networkOf } from '../../ops/rate-limit.js'
import type { InFlight } from '../../runtime/in-flight.js'
import type { RequestContext } from '../context.js'

export interface DeskUse {
  context: Pick<RequestContext, 'session' | 'api' | 'address' | 'snapshot'>
  /**
   * Called by the queue. `begin`: send it now. `busy`: refuse it, nothing has been sent. `cut`: close the connection of
   * its client, which does not read.
   */
  settle(how: 'begin' | 'busy' | 'cut'): void
  /** Everything below is the queue's. */
  queued: DeskUseState
}

/** Times in checks of the queue. */
export interface DeskUseState {
  /**
   * `sent`: waits for the head of the response. `poll`: has waited for long while Desk responds to others. `kept`: has a
   * slot though the head has arrived, because its client does not read or there are too many long responses.
   */
  stage: 'outside' | 'waiting' | 'sent' | 'poll' | 'head' | 'long' | 'kept' | 'cut'
  /** When the stage began; after the head, when the head arrived. */
  since: number
  /** Since when the client has not read; -1 while it reads. */
  unreadSince: number
  /** Keeps its place among the long responses when its client pauses. */
  settled: boolean
  key: string | undefined
}

export function newUseState(): DeskUseState {
  return { stage: 'outside', since: 0, unreadSince: -1, settled: false, key: undefined }
}

/** Session, agent of a bearer token, or address (IPv6: the /64). */
export function keyOf(use: DeskUse): string {
  use.queued.key ??= findKey(use.context)
  return use.queued.key
}

function findKey({ session, api, address }: DeskUse['context']): string {
  return session?.handle ?? api?.agent.email ?? networkOf(address)
}

/** The share of one key. */
export function quarterOf(limit: number): number {
  return Math.max(1, Math.floor(limit / 4))
}

export function usesOf(uses: InFlight<DeskUse>, key: string): number {
  let count = 0
  for (const use of uses.all()) if (keyOf(use) === key) count++
  return count
}

/** Of one key, or of all, the use whose client has not read for longest, since before `now`. */
export function longestUnread(uses: InFlight<DeskUse>, now: number, key?: string): DeskUse | undefined {
  let longest: DeskUse | undefined
  for (const use of uses.all()) {
    const { unreadSince, stage } = use.queued
    if (unreadSince < 0 || unreadSince >= now || stage === 'cut') continue
    if (longest && longest.queued.unreadSince <= unreadSince) continue
    if (key === undefined || keyOf(use) === key) longest = use
  }
  return longest
}

/** Closes the connection of a client that does not read. Its place is free once that is done. */
export function cut(use: DeskUse): void {
  use.queued.stage = 'cut'
  use.settle('cut')
}
