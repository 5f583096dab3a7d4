// Sessions: created at a login, read at each request, revoked everywhere at once. The cookie never leaves create();
// everything else knows a session by its handle. A failure of the store is never taken for "no session".

import type { Clock, Random } from '../core/clock.js'
import type { EndedBy, Page, Revalidate, Session, SessionSelector, Sessions } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Keyring } from '../keys/keyring.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { Scheduler } from '../runtime/clock.js'
import { type Activity, createActivity } from './activity.js'
import { createSessionCache, type SessionCache } from './cache.js'
import { createEndedNotes, type EndedNotes } from './ended-notes.js'
import { handleOf, indexFor, isHandle, isSingle, matches } from './keys.js'
import { createMove, followMoves, statedAt } from './move.js'
import { createReader, createRevalidation, type Reader, type Revalidation } from './reader.js'
import { createRecords, recordOf, type SessionRecord, sessionOf } from './records.js'
import { createSessionRepository, reportAvailability, type SessionRepository } from './repository.js'
import { createRevocationEvents, type RevocationEvents } from './revocation-events.js'
import { createRevocationNumbers, type RevocationNumbers } from './revocation-numbers.js'
import { createRevocationQueue, type RevocationQueue } from './revocation-queue.js'
import { createPerAgentLimit, createRevoke, createRevokeEverywhere, pruneIndex } from './revoke.js'

export { handleOf } from './keys.js'

export interface SessionsDeps {
  store: Store
  keyring: Keyring
  /** Sessions are valid only for this one; bindTo changes it. */
  publicUrl: string
  clock: Clock
  random: Random
  /** Milliseconds; perAgent is a number of sessions, 0 for no limit. */
  settings: { idle: number; lifetime: number; nearCache: number; outageGrace: number; perAgent: number }
  /** Asked of every session that is read, before it is used. */
  revalidate: Revalidate
  /** login.keepPost.for, asked at each login: a reload may change it. Without it sessions leave no note. */
  keepFor?: () => number | undefined
  metrics: Metrics
  audit: Audit
  log: Log
  /** Milliseconds that no one can set; for tests. */
  monotonic?: () => number
  schedule?: Scheduler
}

/** The parts of the sessions of one process. */
interface Parts {
  store: Store
  activity: Activity
  notes: EndedNotes
  repository: SessionRepository
  cache: SessionCache
  events: RevocationEvents
  numbers: RevocationNumbers
  queue: RevocationQueue
  reader: Reader
  revalidation: Revalidation
  endAndConfirm: Sessions['endAndConfirm']
  /** Called after events may have been missed. */
  onGap: (() => void)[]
  bindTo: Sessions['bindTo']
}

const pageSize = 100

export function createSessions(deps: SessionsDeps): Sessions {
  const parts = assemble(deps)
  const { activity, notes, cache, events, reader, revalidation, endAndConfirm } = parts

  return {
    peek(handle) {
      const session = cache.peek(handle)
      if (session) deps.metrics.lookup('near')
      return session
    },
    read: reader.read,
    verify: reader.verify,
    touch(session) {
      if (!events.isRevoked(session.handle)) activity.touch(session)
    },
    create: createLogin(parts, deps),
    move: createMove({ ...deps, ...parts }),
    async successor(handle, origin) {
      let found = origin === undefined ? {} : await followMoves(parts, origin)
      if (!found.exists) found = await followMoves(parts, handle)
      const session = found.handle === undefined ? undefined : await reader.verify(found.handle)
      // Attack: anyone who can write to the store can point elsewhere; the record says which session it was at first.
      return origin === undefined || session?.origin === origin ? session : undefined
    },
    end: async (selector, why, by) => (await endAndConfirm(selector, why, by)).count,
    endAndConfirm,
    list: (selector, cursor) => list(parts, selector, cursor),
    endedAgent: notes.read,
    revalidateAll: revalidation.revalidateAll,
    bindTo: parts.bindTo,
    onEnd: events.onRevoked,
    onGap: listener => void parts.onGap.push(listener),
    expiresAt: ({ handle, seenAt, endsAt }) =>
      Math.min(endsAt, Math.max(seenAt, activity.seenHere(handle)) + deps.settings.idle),
  }
}

function assemble(all: SessionsDeps): Parts {
  const { clock, settings, metrics, audit, log, keyring, keepFor = () => undefined, ...deps } = all
  const { monotonic = () => performance.now() } = deps
  const { idle } = settings
  const store = reportAvailability(deps.store, { all: metrics.storeUp, reads: up => cache.storeAnswered(up) })
  const activity = createActivity({ store, clock, idle, log })
  let { publicUrl } = deps
  const records = createRecords({ keyring, publicUrl: () => publicUrl, clock, lifetime: settings.lifetime })
  const notes = createEndedNotes({ store, keyring, publicUrl: () => publicUrl, clock, keepFor })
  const repository = createSessionRepository({ store, clock, records, activity, notes, audit, idle })
  const cache = createSessionCache({
    clock,
    settings,
    seenHere: activity.seenHere,
    refresh: handle => reader.refresh(handle),
    compare: () => numbers.compare(),
    isCareful: () => numbers.isCareful(),
    monotonic,
  })
  const onGap: Parts['onGap'] = []
  const mayHaveMissed = () => {
    queue.requeueUnconfirmed()
    for (const listener of onGap) listener()
  }
  const numbers = createRevocationNumbers({
    ...{ store, clock, monotonic, schedule: deps.schedule },
    agreed: cache.agreed,
    failed: cache.unknown,
    distrust: cache.distrustAll,
    missed(why) {
      log.info({ why }, 'revocations may have been missed; every session is read again before it is used')
      cache.distrustAll()
      mayHaveMissed()
    },
  })
  const connected = () => {
    cache.connected()
    numbers.connected()
    mayHaveMissed()
  }
  const disconnected = () => {
    cache.disconnected()
    numbers.disconnected()
  }
  const bindTo = (next: string) => {
    if (next === publicUrl) return
    publicUrl = next
    // What is remembered, and what is open, is read again before it is used.
    cache.distrustAll()
    for (const listener of onGap) listener()
  }
  const events = createRevocationEvents({ store, log, connected, disconnected, numbers })
  events.onRevoked(handle => {
    cache.remove(handle)
    activity.forget(handle)
  })
  const onRevoked = ({ handle, agent, provider }: SessionRecord, why: string, by: EndedBy | undefined) => {
    metrics.revoked(1)
    audit({ event: 'session_ended', session: handle, agent: agent.email, provider, why, ...(by ? { by } : {}) })
  }
  const revoke = createRevoke({ store, repository, events, numbers, notes, onRevoked })
  const queue = createRevocationQueue({ revoke, clock, random: deps.random, log })
  const endAndConfirm = createRevokeEverywhere({ store, cache, events, queue, revoke, clock, log })
  const end = ({ handle }: Session, why: string) => endAndConfirm({ handle }, why)
  const revalidation = createRevalidation({ cache, check: all.revalidate, end, log })
  const reader = createReader({ repository, events, queue, cache, metrics, revalidate: revalidation.revalidate })
  const shared = { store, activity, notes, repository, cache, events, numbers, queue }
  return { ...shared, reader, revalidation, endAndConfirm, onGap, bindTo }
}

function createLogin(parts: Parts, deps: SessionsDeps): Sessions['create'] {
  const { store, repository, cache, events, queue, endAndConfirm } = parts
  const { clock, random, settings } = deps
  const { lifetime, perAgent } = settings
  const end = (handle: string, why: string) => endAndConfirm({ handle }, why, 'gateway')
  const enforceLimit = createPerAgentLimit({ store, repository, perAgent, end })

  return async (identity, agent, from) => {
    const cookie = random(32).toString('base64url')
    const createdAt = clock.now()
    const { provider, saml, externalId, endsAt: latest = Number.POSITIVE_INFINITY } = identity
    const endsAt = Math.floor(Math.min(createdAt + lifetime, saml?.notOnOrAfter ?? latest, latest))
    const known = externalId === undefined ? {} : { externalId }
    const stated = { ...known, ...statedAt(identity.authentication, createdAt) }
    const base = { handle: handleOf(cookie), provider, agent, createdAt, endsAt, from, idpClaims: identity, ...stated }
    const record = recordOf(base, saml)
    // A revocation that is queued may mean all sessions of this agent that begin until now.
    await queue.settle(record.handle, record)
    const readStart = cache.beginRead()
    await repository.add(record)
    await enforceLimit(record).catch(error => {
      repository.remove(record.handle).catch(() => {})
      void repository.removeFromIndexes(record)
      throw error
    })
    const session = sessionOf(record, createdAt)
    if (!events.isRevoked(record.handle)) cache.put(session, readStart)
    return { cookie, session }
  }
}

async function list(
  { store, repository }: Parts,
  selector: SessionSelector,
  cursor: string | undefined,
): Promise<Page<Session>> {
  if (isSingle(selector)) {
    const { session } = isHandle(selector.handle) ? await repository.find(selector.handle) : {}
    return { items: session ? [session] : [], cursor: undefined }
  }
  const page = await store.indexPage(indexFor(selector), cursor, pageSize)
  const found = await Promise.all(page.members.filter(isHandle).map(repository.find))
  pruneIndex(store, indexFor(selector), found)
  const items = found.flatMap(({ session }) => (session && matches(selector, session) ? [session] : []))
  return { items, cursor: page.cursor }
}

/** Every session that the selector names. Rejects with StoreUnavailable. */
export async function* everySession(
  sessions: Pick<Sessions, 'list'>,
  selector: SessionSelector,
): AsyncGenerator<Session> {
  let cursor: string | undefined
  do {
    const page = await sessions.list(selector, cursor)
    yield* page.items
    cursor = page.cursor
  } while (cursor !== undefined)
}
