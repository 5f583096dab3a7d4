// What stays open after the decision: WebSockets, event streams, downloads. Each is closed when its session or its bearer
// token is over, or when the rules in force no longer let its agent in.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import type { Handle, Session } from '../../core/sessions.js'
import { createInFlight } from '../../runtime/in-flight.js'
import type { RevocationMarks } from '../../sessions/revocation-marks.js'
import type { RequestContext } from '../context.js'
import { cutResponse } from '../responses/send.js'
import type { Recheck } from './authorize.js'
import { type CloseReason, createLiveBearers } from './live-bearers.js'
import { createLiveSessions, type LiveSessionsDeps, type MayFinish } from './live-sessions.js'
import { createLiveObserved, type LiveObserved } from './observe.js'

/**
 * Calls `onClose` once, when a connection must be closed. Returns a function that stops watching. `mayFinish`: see
 * LiveSessions.
 */
export type WatchLive = (
  request: IncomingMessage,
  context: RequestContext,
  onClose: (reason: CloseReason) => void,
  mayFinish?: MayFinish,
) => () => void

export interface LiveConnections {
  /** On a public path there is nothing to watch. */
  watch: WatchLive
  /** The agent has just done something on a watched connection. */
  touch(handle: Handle): void
  /** Checks everything that is open now: agents, tokens or rules have changed. */
  recheckAll(): Promise<void>
  /** The same for those that passed without identity because they were observed. */
  recheckObserved(): void
  responses: LiveResponses
  /** Closes what has expired, and reads again what is due. The timer calls it; public for tests. */
  tick(): Promise<void>
  /** Ends the timers. */
  close(): void
}

export interface LiveConnectionsDeps {
  sessions: LiveSessionsDeps['sessions']
  revalidate: LiveSessionsDeps['revalidate']
  recheck: Recheck
  marks: Pick<RevocationMarks, 'onMark'>
  clock: Clock
  settings: LiveSessionsDeps['settings']
  current: Parameters<typeof createLiveObserved>[0]
  /** Milliseconds between two ticks. */
  interval?: number | undefined
}

/** Milliseconds: expiry is enforced to this precision. */
const defaultInterval = 400

export function createLiveConnections(deps: LiveConnectionsDeps): LiveConnections {
  const { recheck, interval = defaultInterval } = deps
  const sessions = createLiveSessions(deps)
  const bearers = createLiveBearers(deps)
  const observed: LiveObserved = createLiveObserved(deps.current)
  deps.marks.onMark(bearers.recheckMarked)
  const watch: WatchLive = (request, context, onClose, mayFinish) => {
    const { session, api } = context
    if (api) return bearers.watch(api, request, context, onClose)
    if (!session) return context.observed ? observed.watch(request, context, onClose) : () => {}
    const stillAllowed = (now: Session) => {
      // After a step-up it is another handle: what is open keeps that one alive from now on.
      context.session = now
      return recheck.permit(now, request, context).kind === 'pass'
    }
    return sessions.watch(session, onClose, stillAllowed, mayFinish)
  }
  const responses = createLiveResponses(watch, deps.clock)
  const tick = () => {
    responses.tick()
    return sessions.tick()
  }
  const timer = setInterval(() => tick().catch(() => {}), interval)
  timer.unref()

  return {
    watch,
    touch: sessions.touch,
    recheckAll() {
      sessions.recheckAll()
      return bearers.recheckAll()
    },
    recheckObserved: observed.recheckAll,
    responses,
    tick,
    close() {
      clearInterval(timer)
      bearers.close()
    },
  }
}

/** A request with a session or a bearer token, or one that is observed, until its response is over. */
export interface LiveResponse {
  request: IncomingMessage
  response: ServerResponse
  context: RequestContext
  /** Bytes of the request body that have come. */
  received: number
}

interface Entry extends LiveResponse {
  /** How often it was found open. */
  ticks?: number
  /** Stops watching it. */
  unwatch?: () => void
}

export interface LiveResponses {
  begin(one: LiveResponse): void
  end(one: LiveResponse): void
  /** Watches each response that was open at two calls. */
  tick(): void
}

/**
 * Nearly all requests are over before the first tick: they cost one step into a list and one out of it. A response that
 * is still open after about a second lives no longer than its session or bearer token. `watch`: see LiveConnections.
 */
function createLiveResponses(watch: WatchLive, clock: Clock): LiveResponses {
  const open = createInFlight<Entry>()

  return {
    begin: open.add,
    end(one: Entry) {
      open.remove(one)
      one.unwatch?.()
    },
    tick() {
      for (const one of open.all()) {
        const { request, response, context } = one
        one.ticks = (one.ticks ?? 0) + 1
        if (one.ticks !== 2) continue
        one.unwatch = watch(request, context, () => cutResponse(request, response), finishUpload(one, clock))
      }
    },
  }
}

/** Milliseconds over which the speed of an upload is measured, and the fewest bytes in a second. */
const [speedWindow, leastSpeed] = [10_000, 1000]
/** How long Desk may take to answer an upload that has arrived, in milliseconds. */
const answerTime = 60_000

/**
 * Whether an upload may go on after its session has expired: as long as its body arrives fast enough, and then until
 * Desk has answered.
 * Attack: a request that Desk answers already, such as an event stream, kept open by a body that trickles in.
 */
function finishUpload(one: LiveResponse, clock: Clock): MayFinish {
  const { request, response } = one
  let measured: { at: number; received: number } | undefined
  let arrivedAt: number | undefined
  return () => {
    const now = clock.now()
    if (arrivedAt !== undefined) return now - arrivedAt < answerTime
    if (request.complete) {
      arrivedAt = now
      return measured !== undefined
    }
    if (response.headersSent) return false
    measured ??= { at: now, received: one.received }
    const elapsed = now - measured.at
    if (elapsed < speedWindow) return true
    const isFast = ((one.received - measured.received) * 1000) / elapsed >= leastSpeed
    measured = { at: now, received: one.received }
    return isFast
  }
}
