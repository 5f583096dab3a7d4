// A step-up moves a session to a new cookie and handle. The new record is there before the old one goes, and a pointer says
// where: whoever held the old handle for something that is open, or for ending it, finds the new one. The pointer grants
// nothing: no request is let in by it.

import type { Clock, Random } from '../core/clock.js'
import type { Agent } from '../core/directory.js'
import type { Identity } from '../core/identity.js'
import type { Handle, Session, Sessions } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { SessionCache } from './cache.js'
import { handleOf, isHandle, movedKey, namesOf } from './keys.js'
import { recordOf, type SessionRecord, sessionOf } from './records.js'
import type { SessionRepository, StoredSession } from './repository.js'
import type { RevocationEvents } from './revocation-events.js'
import type { RevocationNumbers } from './revocation-numbers.js'
import type { RevocationQueue } from './revocation-queue.js'

/** The most moves that are followed; from its first handle a session is found in one. */
const maxMoves = 50
/** Of the provider's earlier names for a session, the last so many are kept. */
const maxNames = 10
/** How long one process alone may move a session, in milliseconds: one that dies meanwhile must not block it. */
const claimTime = 10_000
/** Milliseconds that a pointer is kept longer than the session. */
const margin = 60_000
export const whyMoved = 'moved by a step-up'

export interface MoveDeps {
  store: Store
  repository: SessionRepository
  cache: SessionCache
  events: RevocationEvents
  numbers: Pick<RevocationNumbers, 'take'>
  queue: RevocationQueue
  clock: Clock
  random: Random
}

export function createMove(deps: MoveDeps): Sessions['move'] {
  const { store, repository, cache, events, numbers, queue, clock, random } = deps

  const exchange = async (from: Session, record: SessionRecord) => {
    const left = Math.max(1, Math.ceil(record.endsAt - clock.now())) + margin
    const readStart = cache.beginRead()
    const [number] = await Promise.all([numbers.take(), repository.add(record)])
    try {
      await store.set(movedKey(from.handle), Buffer.from(record.handle), left)
      // The one step that decides: whoever removes the old record has moved the session, or has ended it.
      if (!(await repository.remove(from.handle))) {
        await store.delete([movedKey(from.handle)])
        await undo(record, number)
        return undefined
      }
    } catch (error) {
      await undo(record, number).catch(() => {})
      throw error
    }
    const { origin } = record
    if (origin !== undefined && origin !== from.handle) {
      await store.set(movedKey(origin), Buffer.from(record.handle), left).catch(() => {})
    }
    events.notifyLocal(from.handle, whyMoved, record.handle)
    // Lost for another process, it costs what a lost ending does: the old handle counts there until nearCache is over.
    await events.notifyReplicas(from.handle, whyMoved, number, record.handle).catch(() => {})
    const session = sessionOf(record, clock.now())
    if (!events.isRevoked(record.handle)) cache.put(session, readStart)
    return session
  }
  /** Its number has to be heard all the same: a gap makes every process read every session again. */
  const undo = async (record: SessionRecord, number: number | undefined) => {
    if (number !== undefined) await events.notifyReplicas(record.handle, 'undone', number).catch(() => {})
    await repository.remove(record.handle)
    await repository.removeFromIndexes(record)
  }

  return async (from, identity, agent) => {
    // Two tabs, on two replicas: the second must not write its own pointer over the first one's.
    const claim = `${movedKey(from.handle)}:claim`
    if (!(await store.claim(claim, claimTime))) return undefined
    try {
      const { record: current, session: alive } = await repository.find(from.handle)
      await queue.settle(from.handle, current)
      if (!alive || events.isRevoked(from.handle)) return undefined
      const cookie = random(32).toString('base64url')
      const session = await exchange(alive, movedRecord(alive, identity, { agent, handle: handleOf(cookie), clock }))
      return session && { cookie, session }
    } finally {
      store.delete([claim]).catch(() => {})
    }
  }
}

/** Age, end and origin stay; what the provider and the directory have just stated is new. */
function movedRecord(
  from: Session,
  { authentication, saml, externalId = from.externalId, ...identity }: Identity,
  { agent, handle, clock }: { agent: Agent; handle: Handle; clock: Clock },
): SessionRecord {
  const { provider, createdAt, from: client, origin = from.handle } = from
  const names = formerNames(from, { saml, externalId })
  const base = {
    ...{ handle, agent, provider, createdAt, from: client, origin },
    endsAt: Math.floor(Math.min(from.endsAt, saml?.notOnOrAfter ?? from.endsAt)),
    idpClaims: identity,
    ...(externalId === undefined ? {} : { externalId }),
    ...statedAt(authentication, clock.now()),
    ...(names.length > 0 ? { earlier: names } : {}),
  }
  return recordOf(base, saml)
}

/** Each once, and none that the new login has again; a list without end would outgrow the record. */
function formerNames(from: Session, next: Parameters<typeof namesOf>[0]): NonNullable<Session['earlier']> {
  const former = new Map<string, NonNullable<Session['earlier']>[number]>()
  for (const { nameId, sessionIndex } of namesOf(from)) {
    const name = { nameId, ...(sessionIndex === undefined ? {} : { sessionIndex }) }
    former.set(JSON.stringify([nameId, sessionIndex]), name)
  }
  for (const { nameId, sessionIndex } of namesOf(next)) former.delete(JSON.stringify([nameId, sessionIndex]))
  return [...former.values()].slice(0, maxNames)
}

/** A provider's clock may be a little ahead. */
export function statedAt(
  authentication: Identity['authentication'],
  now: number,
): Pick<SessionRecord, 'authentication'> {
  if (authentication === undefined) return {}
  const { at, ...rest } = authentication
  return { authentication: at === undefined ? rest : { ...rest, at: Math.min(at, now) } }
}

/** What the handle's session has become; nothing of it when it was not moved. */
export async function followMoves(
  { store, repository }: Pick<MoveDeps, 'store' | 'repository'>,
  handle: Handle,
): Promise<Partial<StoredSession>> {
  let at = handle
  for (let moves = 0; moves < maxMoves; moves++) {
    const next = (await store.get(movedKey(at)))?.toString('latin1')
    if (next === undefined || !isHandle(next)) return {}
    const found = await repository.find(next)
    if (found.exists) return found
    at = next
  }
  return {}
}
