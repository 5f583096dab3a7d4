// Revokes sessions: in this process at once, then in the store, then on the other replicas. A revocation that fails on
// the way is queued and can be repeated: none is left half done.

import type { Clock } from '../core/clock.js'
import { StoreUnavailable } from '../core/errors.js'
import type { EndedBy, Handle, Session, SessionSelector, Sessions } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import type { Log } from '../ops/log.js'
import type { SessionCache } from './cache.js'
import type { EndedNotes } from './ended-notes.js'
import { emailIndex, type GroupSelector, indexFor, isHandle, isSingle, matches } from './keys.js'
import { followMoves } from './move.js'
import type { SessionRecord } from './records.js'
import type { SessionRepository, StoredSession } from './repository.js'
import type { RevocationEvents } from './revocation-events.js'
import type { RevocationNumbers } from './revocation-numbers.js'
import type { FailedRevocation, Revocation, RevocationQueue } from './revocation-queue.js'

export interface RevokeDeps {
  store: Store
  repository: SessionRepository
  events: RevocationEvents
  numbers: Pick<RevocationNumbers, 'take'>
  notes: Pick<EndedNotes, 'remove'>
  /** Called for each session that was alive. */
  onRevoked(record: SessionRecord, why: string, by: EndedBy | undefined): void
}

/** Sessions revoked at the same time: each takes up to ten commands, which must all be answered in time. */
const pageSize = 25

export interface RevokeResult {
  /** How many sessions were alive. */
  count: number
  /** The sessions of a group that could not be revoked. */
  failed: FailedRevocation[]
}

/**
 * Rejects with StoreUnavailable when a single session could not be revoked, or a group could not be read. By then the
 * listeners of this process know of a session that was named by its handle.
 */
export function createRevoke(deps: RevokeDeps): (revocation: Revocation) => Promise<RevokeResult> {
  return async ({ selector, why, by, createdUntil }) => {
    if (isSingle(selector)) {
      const count = isHandle(selector.handle) ? await revokeOne(deps, selector.handle, { why, by }) : 0
      return { count, failed: [] }
    }
    const result: RevokeResult = { count: 0, failed: [] }
    let cursor: string | undefined
    do {
      const page = await deps.store.indexPage(indexFor(selector), cursor, pageSize)
      const handles = page.members.filter(isHandle)
      const { count, failed } = await revokePage(deps, { selector, why, by, createdUntil }, handles)
      result.count += count
      result.failed.push(...failed)
      cursor = page.cursor
    } while (cursor !== undefined)
    return result
  }
}

interface Cause {
  why: string
  by: EndedBy | undefined
}

interface PagedRevocation extends Cause {
  selector: GroupSelector
  createdUntil: number | undefined
}

/** What fails for one session does not keep the others alive. */
async function revokePage(deps: RevokeDeps, revocation: PagedRevocation, handles: Handle[]): Promise<RevokeResult> {
  const { selector, why, by, createdUntil } = revocation
  const read: StoredSession[] = []
  const meant = (record: SessionRecord) =>
    matches(selector, record) && !(record.createdAt > (createdUntil ?? record.createdAt))
  const outcomes = await Promise.allSettled(
    handles.map(async handle => {
      const found = await deps.repository.find(handle)
      read.push(found)
      const { record, exists } = found
      // An earlier try may have failed after it removed the record: notify for missing records too.
      if (!exists) return (await notifyAll(deps, handle, why)) + (await revokeMoved(deps, handle, { why, by }, meant))
      // A record that cannot be read, such as one of another publicUrl: the index vouches for it.
      return !record || meant(record) ? revokeOne(deps, handle, { why, by }) : 0
    }),
  )
  pruneIndex(deps.store, indexFor(selector), read)
  const result: RevokeResult = { count: 0, failed: [] }
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') result.count += outcome.value
    else if (!(outcome.reason instanceof StoreUnavailable)) throw outcome.reason
    else result.failed.push({ handle: handles[at] ?? '', error: outcome.reason })
  }
  return result
}

/** 1 when it was alive, else 0. */
async function revokeOne(deps: RevokeDeps, handle: Handle, { why, by }: Cause): Promise<number> {
  const { repository, events, numbers } = deps
  // Before the store has answered: this process can act even while the store is down.
  events.notifyLocal(handle, why)
  // The number comes first: a process that dies after the record has gone leaves a number that nobody has heard of.
  const [{ record, session }, number] = await Promise.all([repository.find(handle), numbers.take()])
  const gone = await removeRecord(deps, handle, by).catch(async error => {
    // The other replicas can refuse it all the same.
    await events.notifyReplicas(handle, why, number).catch(() => {})
    throw error
  })
  // Only the call that removed the record counts it.
  const alive = gone ? session : undefined
  if (alive) deps.onRevoked(alive, why, by)
  await events.notifyReplicas(handle, why, number)
  if (record) await repository.removeFromIndexes(record)
  if (alive) return 1
  return gone ? 0 : revokeMoved(deps, handle, { why, by }, () => true)
}

/** A logout by the agent or the provider takes the note with it: nothing more is kept for this session. */
async function removeRecord({ repository, notes }: RevokeDeps, handle: Handle, by: EndedBy | undefined) {
  if (by === 'agent' || by === 'provider') await notes.remove(handle)
  return repository.remove(handle)
}

/** Attack: the session of a removed agent steps up at this moment, and goes on under another handle. */
async function revokeMoved(
  deps: RevokeDeps,
  handle: Handle,
  cause: Cause,
  meant: (record: SessionRecord) => boolean,
): Promise<number> {
  const { record } = await followMoves(deps, handle)
  return record && meant(record) ? revokeOne(deps, record.handle, cause) : 0
}

/** Returns 0: a session that is not in the store was not alive. */
async function notifyAll({ events, numbers }: RevokeDeps, handle: Handle, why: string): Promise<number> {
  events.notifyLocal(handle, why)
  await events.notifyReplicas(handle, why, await numbers.take())
  return 0
}

/** Removes the entries of missing sessions from the index, in the background. */
export function pruneIndex(store: Store, index: string, found: StoredSession[]): void {
  const gone = found.filter(({ exists }) => !exists).map(({ handle }) => handle)
  if (gone.length > 0) store.indexRemove(index, gone).catch(() => {})
}

/** Every revocation takes this path: this process at once, then the store, then a replica of the store. */
export function createRevokeEverywhere(deps: {
  store: Store
  cache: SessionCache
  events: RevocationEvents
  queue: RevocationQueue
  revoke(revocation: Revocation): Promise<RevokeResult>
  clock: Clock
  log: Log
}): Sessions['endAndConfirm'] {
  const { store, cache, events, queue, revoke, clock, log } = deps

  const revokeLocally = (selector: SessionSelector, why: string) => {
    if (isSingle(selector)) return events.notifyLocal(selector.handle, why)
    for (const session of cache.sessions()) if (matches(selector, session)) events.notifyLocal(session.handle, why)
  }
  return async (selector, why, by) => {
    if (isSingle(selector) && !isHandle(selector.handle)) return { count: 0, replication: 'single' }
    const revocation = { selector, why, by, createdUntil: clock.now() }
    revokeLocally(selector, why)
    const { count, failed } = await revoke({ selector, why, by }).catch((error: unknown) => {
      if (error instanceof StoreUnavailable) queue.add(revocation, error)
      throw error
    })
    for (const { handle, error } of failed) queue.add({ ...revocation, selector: { handle } }, error)
    if (failed[0]) throw failed[0].error
    const replication = await store.replication().catch(() => 'not replicated' as const)
    if (replication === 'replicated') queue.confirmAll()
    if (replication === 'not replicated') {
      queue.addUnconfirmed(revocation)
      log.warn('revocation not replicated; a failover of the session store could undo it')
    }
    return { count, replication }
  }
}

/**
 * After each login the oldest sessions beyond the limit are revoked. Exact under a race: each login counts after it has
 * written its own session, and all of them sort alike, so that they revoke the same ones. `perAgent`: 0 is not a limit.
 * `end` revokes one session. The result rejects with StoreUnavailable.
 */
export function createPerAgentLimit(deps: {
  store: Store
  repository: SessionRepository
  perAgent: number
  end(handle: string, why: string): Promise<unknown>
}): (login: SessionRecord) => Promise<void> {
  const { store, repository, perAgent, end } = deps

  const liveSessions = async (email: string) => {
    const found: Session[] = []
    let cursor: string | undefined
    do {
      const page = await store.indexPage(emailIndex(email), cursor, pageSize)
      const read = await Promise.all(page.members.filter(isHandle).map(repository.find))
      // Attack: anyone who can write to the store can change an index; sessions of other agents are not counted.
      found.push(...read.flatMap(({ session }) => (session && matches({ email }, session) ? [session] : [])))
      cursor = page.cursor
    } while (cursor !== undefined)
    return found
  }

  return async login => {
    if (perAgent === 0) return
    const sessions = oncePerMove(await liveSessions(login.agent.email)).sort(byAge)
    const excess = sessions.slice(0, Math.max(0, sessions.length - perAgent))
    for (const { handle } of excess) await end(handle, 'the agent has too many sessions')
  }
}

/** In the middle of a step-up a session has two records. */
function oncePerMove(sessions: Session[]): Session[] {
  return [...new Map(sessions.map(session => [session.origin ?? session.handle, session])).values()]
}

function byAge(a: Session, b: Session): number {
  return a.createdAt - b.createdAt || (a.handle < b.handle ? -1 : 1)
}
