// Sessions: made at a login, read at each request, ended everywhere at once. The cookie never leaves create(); everything
// else knows a session by its handle. Never "no session" because the store failed.

import type { Clock, EndedBy, Page, Random, Session, Sessions, Store, Which } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Keyring } from '../keys/keyring.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { type Activity, createActivity } from './activity.js'
import { createNearCache, type NearCache } from './cache.js'
import { handleOf, isHandle } from './keys.js'
import { createLimit } from './per-agent-limit.js'
import { createReader, type Reader } from './reader.js'
import { createRecords, type Recorded, recordOf } from './records.js'
import { createSessionShelf, type SessionShelf } from './repository.js'
import { createReviews, type Reviews } from './revalidate.js'
import { createEndings, type Endings } from './revocation-events.js'
import { createPendingEndings, type PendingEndings, type Wanted } from './revocation-queue.js'
import { createEnd, heal } from './revoke.js'
import { watchStore } from './store-gauge.js'
import { indexOf, isOne, matches } from './which.js'

export { handleOf } from './keys.js'

export interface SessionsDeps {
  store: Store
  keyring: Keyring
  clock: Clock
  random: Random
  /** Milliseconds; perAgent is a number of sessions, 0 for no limit. */
  settings: { idle: number; lifetime: number; nearCache: number; outageGrace: number; perAgent: number }
  metrics: Metrics
  audit: Audit
  log: Log
}

/** What the sessions of one process are made of. */
interface Parts {
  store: Store
  activity: Activity
  shelf: SessionShelf
  near: NearCache
  endings: Endings
  pending: PendingEndings
  reader: Reader
  reviews: Reviews
  carryOut(wanted: Wanted): Promise<number>
  /** Told after endings may have been missed. */
  onGap: (() => void)[]
}

/** Sessions on one page of a list. */
const pageSize = 100

export function createSessions(deps: SessionsDeps): Sessions {
  const parts = assemble(deps)
  const { activity, near, endings, reader, reviews } = parts
  const endAndConfirm = createEndAndConfirm(parts, deps)

  return {
    peek(handle) {
      const session = near.peek(handle)
      if (session) deps.metrics.lookup('near')
      return session
    },
    read: reader.read,
    verify: reader.verify,
    touch(session) {
      if (!endings.known(session.handle)) activity.touch(session)
    },
    create: createLogin(parts, deps, endAndConfirm),
    end: async (which, why, by) => (await endAndConfirm(which, why, by)).count,
    endAndConfirm,
    list: (which, cursor) => list(parts, which, cursor),
    reviewBy: reviews.by,
    reviewAll: reviews.all,
    onEnd: endings.listen,
    onGap: listener => void parts.onGap.push(listener),
    lastsUntil: ({ handle, seenAt, endsAt }) =>
      Math.min(endsAt, Math.max(seenAt, activity.seenHere(handle)) + deps.settings.idle),
  }
}

function assemble(all: SessionsDeps): Parts {
  const { clock, settings, metrics, audit, log, keyring, ...deps } = all
  const { idle } = settings
  const store = watchStore(deps.store, up => {
    metrics.storeUp(up)
    near.answered(up)
  })
  const activity = createActivity({ store, clock, idle, log })
  const records = createRecords({ keyring })
  const shelf = createSessionShelf({ store, clock, records, activity, audit, idle })
  const near = createNearCache({
    clock,
    settings,
    seenHere: activity.seenHere,
    refresh: handle => reader.refresh(handle),
  })
  const onGap: Parts['onGap'] = []
  const whole = () => {
    near.whole()
    pending.reopen()
    for (const listener of onGap) listener()
  }
  const endings = createEndings({ store, log, whole, broken: near.broken })
  endings.listen(handle => {
    near.drop(handle)
    activity.forget(handle)
  })
  const ended = ({ handle, agent, provider }: Recorded, why: string, by: EndedBy | undefined) => {
    metrics.revoked(1)
    audit({ event: 'session_ended', session: handle, agent: agent.email, provider, why, ...(by ? { by } : {}) })
  }
  const carryOut = createEnd({ store, shelf, endings, ended })
  const pending = createPendingEndings({ carryOut, log })
  const end = createEndAndConfirm({ store, near, endings, pending, carryOut }, all)
  const reviews = createReviews({ near, end: ({ handle }, why) => end({ handle }, why), log })
  const reader = createReader({ shelf, endings, pending, near, metrics, review: reviews.of })
  return { store, activity, shelf, near, endings, pending, reader, reviews, carryOut, onGap }
}

/** The way of every ending: at once in this process, then in the store, then on a replica of the store. */
function createEndAndConfirm(
  parts: Pick<Parts, 'store' | 'near' | 'endings' | 'pending' | 'carryOut'>,
  { clock, log }: Pick<SessionsDeps, 'clock' | 'log'>,
): Sessions['endAndConfirm'] {
  const { store, near, endings, pending, carryOut } = parts

  const here = (which: Which, why: string) => {
    if (isOne(which)) return endings.here(which.handle, why)
    for (const session of near.sessions()) if (matches(which, session)) endings.here(session.handle, why)
  }
  return async (which, why, by) => {
    if (isOne(which) && !isHandle(which.handle)) return { count: 0, replication: 'single' }
    const wanted = { which, why, by, madeBy: clock.now() }
    here(which, why)
    const count = await carryOut({ which, why, by }).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) pending.add(wanted)
      throw error
    })
    const replication = await store.replication().catch(() => 'not replicated' as const)
    if (replication === 'replicated') pending.confirm()
    if (replication === 'not replicated') {
      pending.doubt(wanted)
      log.warn('an ending is not replicated: a failover of the session store could undo it')
    }
    return { count, replication }
  }
}

function createLogin(parts: Parts, deps: SessionsDeps, end: Sessions['endAndConfirm']): Sessions['create'] {
  const { store, shelf, near, endings, pending } = parts
  const { clock, random, settings } = deps
  const { lifetime, perAgent } = settings
  const limit = createLimit({ store, shelf, perAgent, end: (handle, why) => end({ handle }, why, 'gateway') })

  return async (identity, agent, from) => {
    // Nobody comes in while an ending waits: it may mean all sessions of this agent.
    if (pending.waiting()) await pending.settle()
    const cookie = random(32).toString('base64url')
    const createdAt = clock.now()
    const { provider, saml, externalId, name, roles, endsAt: latest = Number.POSITIVE_INFINITY } = identity
    const endsAt = Math.floor(Math.min(createdAt + lifetime, saml?.notOnOrAfter ?? latest, latest))
    const said = { ...(name === undefined ? {} : { name }), ...(roles === undefined ? {} : { roles }) }
    const known = externalId === undefined ? {} : { externalId }
    const base = { handle: handleOf(cookie), provider, agent, createdAt, endsAt, from, said, ...known }
    const record = recordOf(base, saml)
    const reading = near.begin()
    await shelf.add(record)
    await limit(record).catch(error => {
      shelf.remove(record.handle).catch(() => {})
      void shelf.unlist(record)
      throw error
    })
    const session = { ...record, seenAt: createdAt }
    if (!endings.known(record.handle)) near.keep(session, reading)
    return { cookie, session }
  }
}

async function list({ store, shelf }: Parts, which: Which, cursor: string | undefined): Promise<Page<Session>> {
  if (isOne(which)) {
    const { session } = isHandle(which.handle) ? await shelf.find(which.handle) : {}
    return { items: session ? [session] : [], cursor: undefined }
  }
  const page = await store.indexPage(indexOf(which), cursor, pageSize)
  const found = await Promise.all(page.members.filter(isHandle).map(shelf.find))
  heal(store, indexOf(which), found)
  const items = found.flatMap(({ session }) => (session && matches(which, session) ? [session] : []))
  return { items, cursor: page.cursor }
}
