// The sessions of a browser: by its session cookie and, as a cross-site POST does not carry that, by the sealed "seen"
// cookie beside it. The seen cookie grants no access: it only names the session that a new login replaces.

import { LRUCache } from 'lru-cache'
import type { Config } from '../../config/schema/index.js'
import type { Clock } from '../../core/clock.js'
import type { Handle, Session, Sessions } from '../../core/sessions.js'
import { isRehearsal } from '../../providers/rehearsal.js'
import type { CookieJar, Cookies, ResponseCookie } from '../request/cookies.js'
import { readCookies } from '../request/read-cookies.js'
import type { Sealer } from './attempts.js'

export interface BrowserSessions {
  /** The live session that the session cookie names. Throws StoreUnavailable. */
  current(jar: CookieJar): Promise<Session | undefined>
  /** Every live session of this browser, that of the session cookie first. Throws StoreUnavailable. */
  all(jar: CookieJar): Promise<Session[]>
  /** The same as the store has them, and in the place of one that a step-up has moved, what it has become. */
  moved(jar: CookieJar): Promise<Session[]>
  /** The value of the seen cookie for a session. */
  sealSeen(cookies: Cookies, handle: Handle): string
}

/** A browser has one or two: one for each path. */
const maxSeenCookies = 4

export function createBrowserSessions(deps: {
  sessions: Pick<Sessions, 'peek' | 'read' | 'verify' | 'successor'>
  keyring: Sealer
  handleOf: (cookie: string) => Handle
}): BrowserSessions {
  const { sessions, keyring, handleOf } = deps
  /** A rehearsal's session is none: it can be neither shown nor kept, and a login does not replace it. */
  const ofAgent = (session: Session | undefined) => (session && isRehearsal(session.provider) ? undefined : session)
  const read = async (handle: Handle) => ofAgent(sessions.peek(handle) ?? (await sessions.read(handle)))
  const fromSessionCookie = ({ cookies, header }: CookieJar): Handle[] => {
    const cookie = cookies.readSession(header)
    return cookie === undefined ? [] : [handleOf(cookie)]
  }
  // Attack: a sibling host can plant a seen cookie of its own session, so that a callback overlooks the agent who is logged
  // in here. Every seen cookie counts, not only the first.
  const fromSeenCookies = ({ cookies, header }: CookieJar): Handle[] =>
    readCookies(header)
      .all(cookies.seen)
      .slice(0, maxSeenCookies)
      .flatMap(sealed => keyring.open('seen', sealed, cookies.seen)?.toString('base64url') ?? [])

  const allBy = async (jar: CookieJar, find: (handle: Handle) => Promise<Session | undefined>) => {
    const handles = [...new Set([...fromSessionCookie(jar), ...fromSeenCookies(jar)])]
    const found = await Promise.all(handles.map(find))
    return found.filter(session => session !== undefined)
  }
  return {
    async current(jar) {
      const [handle] = fromSessionCookie(jar)
      return handle === undefined ? undefined : read(handle)
    },
    all: jar => allBy(jar, read),
    moved: jar =>
      allBy(jar, async handle => ofAgent((await sessions.verify(handle)) ?? (await sessions.successor(handle)))),
    sealSeen: (cookies, handle) => keyring.seal('seen', Buffer.from(handle, 'base64url'), cookies.seen),
  }
}

export interface OpenedSession {
  session: Session
  setCookies: ResponseCookie[]
}

/**
 * The session that was opened for this key a moment ago, if it still lives; else a new one. `key` names something that
 * only one browser holds, and the agent; without a key nothing is shared.
 */
export type ShareSession = (
  key: string | undefined,
  open: () => Promise<OpenedSession>,
) => Promise<OpenedSession & { shared: boolean }>

/** How long tabs share a session, in milliseconds: after that the browser sends the session cookie. */
const shareTime = 5_000
const maxEntries = 1_000

/** Logins by what only one browser holds. With autopurge no cookie is kept longer than it may be sent. */
export function createRecentLogins<Login>(clock: Clock): LRUCache<string, Promise<Login>> {
  return new LRUCache<string, Promise<Login>>({
    max: maxEntries,
    ttl: shareTime,
    ttlAutopurge: true,
    ttlResolution: 0,
    perf: clock,
  })
}

/**
 * Tabs of one browser that finish their logins at the same time share one session for a few seconds: none of them has
 * the other's cookie yet. Never shares between browsers, agents or providers.
 */
export function createShareSession(deps: { sessions: Pick<Sessions, 'read'>; clock: Clock }): ShareSession {
  const recent = createRecentLogins<OpenedSession>(deps.clock)

  const findAlive = async (key: string): Promise<OpenedSession | undefined> => {
    const opened = await recent.get(key)
    return opened && (await deps.sessions.read(opened.session.handle)) ? opened : undefined
  }
  return async (key, open) => {
    if (key === undefined) return { ...(await open()), shared: false }
    const earlier = recent.has(key) ? await findAlive(key) : undefined
    if (earlier) return { ...earlier, shared: true }
    const opening = open()
    recent.set(key, opening)
    // A failure is not shared: the next tab tries again.
    opening.catch(() => recent.delete(key))
    return { ...(await opening), shared: false }
  }
}

/** How long before the end of a session its agent is warned, in milliseconds. */
export function warnBefore({ sessions }: Pick<Config, 'sessions'>): number {
  return Math.min(120_000, sessions.idle / 4)
}
