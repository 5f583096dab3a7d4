// Sessions: made at a login, read at each request, ended everywhere at once. The cookie never leaves create(); everything
// else knows a session by its handle. Never "no session" because the store failed.

import type { Clock, Handle, Page, Random, Session, Sessions, Store, Which } from '../core/contracts.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import { createActivity } from './activity.js'
import { createEnd, heal } from './end.js'
import { createEndings, type Endings } from './endings.js'
import type { Keyring } from './keyring.js'
import { handleOf, isHandle } from './names.js'
import { createRecords, type Recorded, recordOf } from './records.js'
import { createSessionShelf, type SessionShelf } from './shelf.js'
import { watchStore } from './watched-store.js'
import { indexOf, isOne, matches } from './which.js'

export { handleOf } from './names.js'

export interface SessionsDeps {
  store: Store
  keyring: Keyring
  clock: Clock
  random: Random
  /** Milliseconds. */
  settings: { idle: number; lifetime: number }
  metrics: Metrics
  audit: Audit
  log: Log
}

interface Parts {
  store: Store
  shelf: SessionShelf
  endings: Endings
}

/** Sessions on one page of a list. */
const pageSize = 100

export function createSessions(deps: SessionsDeps): Sessions {
  const { clock, random, settings, metrics, audit, log } = deps
  const { idle, lifetime } = settings
  const store = watchStore(deps.store, metrics.storeUp)
  const activity = createActivity({ store, clock, idle, log })
  const records = createRecords({ keyring: deps.keyring })
  const shelf = createSessionShelf({ store, clock, records, activity, audit, idle })
  const endings = createEndings({ store, log })
  const parts = { store, shelf, endings }
  const ended = ({ handle, agent, provider }: Recorded, why: string) => {
    metrics.revoked(1)
    audit({ event: 'session_ended', session: handle, agent: agent.email, provider, why })
  }

  return {
    // No near cache: this process remembers no session, so that there is never an answer without the store.
    peek: () => undefined,
    read: createReader(parts, metrics),
    touch(session) {
      if (!endings.known(session.handle)) activity.touch(session)
    },
    async create(identity, agent, from) {
      const cookie = random(32).toString('base64url')
      const createdAt = clock.now()
      const endsAt = Math.floor(Math.min(createdAt + lifetime, identity.saml?.notOnOrAfter ?? Number.POSITIVE_INFINITY))
      const { provider, saml } = identity
      const record = recordOf({ handle: handleOf(cookie), provider, agent, createdAt, endsAt, from }, saml)
      await shelf.add(record)
      return { cookie, session: { ...record, seenAt: createdAt } }
    },
    end: createEnd({ ...parts, ended }),
    list: (which, cursor) => list(parts, which, cursor),
    onEnd: endings.listen,
  }
}

/** Reads of one handle that are under way at once share one flight; one that its ending overtook finds nothing. */
function createReader({ shelf, endings }: Parts, metrics: Metrics): (handle: Handle) => Promise<Session | undefined> {
  const flights = new Map<Handle, Promise<Session | undefined>>()

  const fly = async (handle: Handle) => {
    try {
      const { session } = await shelf.find(handle)
      const alive = endings.known(handle) ? undefined : session
      metrics.lookup(alive ? 'store' : 'none')
      return alive
    } finally {
      flights.delete(handle)
    }
  }
  return async handle => {
    // A session that this process knows to have ended stays so, even if a failover brings its record back.
    if (!isHandle(handle) || endings.known(handle)) {
      metrics.lookup('none')
      return undefined
    }
    const flight = flights.get(handle) ?? fly(handle)
    flights.set(handle, flight)
    return flight
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
