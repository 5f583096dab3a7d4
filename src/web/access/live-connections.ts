// What outlives the moment in which the guard let it in: WebSockets and long answers. Each is cut when its session ends, by
// whatever hand, and at its idle and absolute end; and none is kept that could not be verified for longer than a request
// would be served without verification.

import type { Agent, Clock, Handle, Session, Sessions } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import { createLongAnswers, type Judges, type LongAnswers } from './live-responses.js'
import { sameRoles } from './same-agent.js'

/**
 * `ended`: the session is over. `unverified`: the store could not say for too long whether it is. `changed`: the agent has
 * other roles than those that Desk was told of, or may not be there any more.
 */
export type Cut = (why: 'ended' | 'unverified' | 'changed') => void

/** Whether access.paths, as it is now, still lets the agent be there. */
export type May = (agent: Agent) => boolean

export interface Lasting {
  /**
   * From now on `cut` is called, once, when the session ends, or `may` says no. Returns the way to say that it is over by
   * itself.
   */
  hold(session: Session, cut: Cut, may?: May): () => void
  /** What is held of requests is judged by these; once, before the first. */
  judgedBy(judges: Judges): void
  /** The agent has just done something on what is held. */
  touch(handle: Handle): void
  /** Everything is read again now: whoever is an agent, or may do what, has changed. */
  again(): void
  longAnswers: LongAnswers
  /** Cuts what has ended by now, and reads again what is due. For tests: the timer does it. */
  tick(): Promise<void>
  /** Ends the timer. */
  close(): void
}

export interface LastingDeps {
  sessions: Pick<Sessions, 'verify' | 'touch' | 'onEnd' | 'onGap' | 'lastsUntil'>
  clock: Clock
  /** Milliseconds. */
  settings: { nearCache: number; outageGrace: number }
  /** Milliseconds between two looks at the clock. */
  every?: number
}

/** All that is open of one session. Times in milliseconds since the epoch. */
interface Held {
  session: Session
  cuts: Map<Cut, May>
  /** Not before then need anybody ask when the session ends. */
  endsAt: number
  /** When the store is asked again, and when it has last said that the session lives. */
  lookAt: number
  readAt: number
}

/** Milliseconds: what ends by itself ends that exactly. */
const often = 400
/** The least milliseconds between two reads of one session. */
const leastPause = 1000
/** Sessions that are read in one go. */
const together = 50

export function createLasting({ sessions, clock, settings, every = often }: LastingDeps): Lasting {
  const { nearCache, outageGrace } = settings
  const all = new Map<Handle, Held>()
  let gaps = 0
  let looking = false

  const cut = (held: Held, why: Parameters<Cut>[0]) => {
    if (all.get(held.session.handle) === held) all.delete(held.session.handle)
    for (const one of held.cuts.keys()) one(why)
    held.cuts.clear()
  }
  const failed = (held: Held) => {
    const now = clock.now()
    const bound = Math.min(sessions.lastsUntil(held.session), held.readAt + nearCache + outageGrace)
    // Fail closed, as for a request: what cannot be read is used no longer than that.
    if (!(now < bound)) return cut(held, 'unverified')
    held.lookAt = now + leastPause
  }
  const look = async (held: Held) => {
    const [began, gap] = [clock.now(), gaps]
    const session = await sessions.verify(held.session.handle)
    if (!session) return cut(held, 'ended')
    for (const [one, may] of [...held.cuts]) {
      if (may(session.agent)) continue
      held.cuts.delete(one)
      one('changed')
    }
    held.session = session
    held.readAt = began
    held.endsAt = sessions.lastsUntil(session)
    // Well before nearCache is over: the read must have come back by then. What was read before a gap says nothing of it.
    held.lookAt = gap === gaps ? began + Math.max(leastPause, nearCache * 0.75) : began
  }
  const lookAll = async (due: Held[]) => {
    for (let at = 0; at < due.length; at += together) {
      const results = await Promise.allSettled(due.slice(at, at + together).map(look))
      const lost = results.findIndex(({ status }) => status === 'rejected')
      if (lost < 0) continue
      const { reason } = results[lost] as PromiseRejectedResult
      // The store is down: asking for the others would bring nothing but more failures.
      for (const [place, held] of due.slice(at).entries()) if (results[place]?.status !== 'fulfilled') failed(held)
      if (!(reason instanceof StoreUnavailable)) throw reason
      return
    }
  }
  const tick = async () => {
    longAnswers.tick()
    const now = clock.now()
    const due: Held[] = []
    for (const held of all.values()) {
      if (!(now < held.endsAt)) held.endsAt = sessions.lastsUntil(held.session)
      if (!(now < held.session.endsAt)) cut(held, 'ended')
      else if (!(now < held.endsAt && now < held.lookAt && now >= held.readAt)) due.push(held)
    }
    if (looking || due.length === 0) return
    looking = true
    await lookAll(due).finally(() => {
      looking = false
    })
  }
  const hold: Lasting['hold'] = (session, cut, may = () => true) => {
    const { handle } = session
    const now = clock.now()
    const held: Held = all.get(handle) ?? { session, cuts: new Map(), endsAt: now, lookAt: now, readAt: now }
    all.set(handle, held)
    // Read at once: what the guard knew of it may be nearly as old as nearCache allows, or from before a reload.
    held.lookAt = Math.min(held.lookAt, now)
    // What Desk was told at the beginning would hold for good.
    held.cuts.set(cut, agent => sameRoles(session.agent, agent) && may(agent))
    return () => {
      held.cuts.delete(cut)
      if (held.cuts.size === 0 && all.get(handle) === held) all.delete(handle)
    }
  }
  const longAnswers = createLongAnswers({ hold })

  sessions.onEnd(handle => {
    const held = all.get(handle)
    if (held) cut(held, 'ended')
  })
  const again = () => {
    gaps++
    for (const held of all.values()) held.lookAt = 0
    tick().catch(() => {})
  }
  sessions.onGap(again)
  const timer = setInterval(() => tick().catch(() => {}), every)
  timer.unref()

  return {
    hold,
    touch(handle) {
      const held = all.get(handle)
      // What has run out is not brought back by a word that came too late.
      if (held && clock.now() < sessions.lastsUntil(held.session)) sessions.touch(held.session)
    },
    again,
    judgedBy: longAnswers.judgedBy,
    longAnswers,
    tick,
    close: () => clearInterval(timer),
  }
}
