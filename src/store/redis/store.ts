// The store on Redis: single-key commands only, so that it works on a cluster. Every failure is StoreUnavailable with a
// sentence for the operator; a command that timed out has failed, whether or not Redis still executed it.

import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import {
  checkCount,
  checkName,
  checkStart,
  checkTtl,
  checkValue,
  type IndexPage,
  type Store,
  usableShare,
} from '../../core/store.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import { createInFlight } from '../../runtime/in-flight.js'
import type { Commands } from './client.js'
import type { RedisConnection } from './connection.js'
import { explain, replyCode } from './error-messages.js'
import { createRedisProbe } from './probe.js'
import { createReplication } from './replication.js'
import { createSubscriptions } from './subscriptions.js'

export interface RedisStoreDeps {
  connection: RedisConnection
  /** Before every key and channel. */
  keyPrefix: string
  clock: Clock
  log: Log
  random?: Random
}

const none = Buffer.alloc(0)
/** Of 256 additions to an index, those that also remove the members whose time is over. */
const cleaned = 16

/** Owns the connection: close() ends it. */
export function createRedisStore(deps: RedisStoreDeps): Store {
  const { connection, keyPrefix, clock, log } = deps
  const { client, topology } = connection
  const random = deps.random ?? systemRandom
  const subscriptions = createSubscriptions({ connection: connection.messages, log, clock, random })
  const patience = connection.limit / 2
  const probe = createRedisProbe({ ...connection, subscriptions, keyPrefix, log, random, patience })
  const replication = createReplication({ connection, clock, log })
  const prefixed = (name: string) => {
    checkName(name)
    return keyPrefix + name
  }

  const withinLimit = createTimeLimit(connection.limit)
  let isSettled = false
  const settle = async () => {
    await connection.settled
    isSettled = true
  }

  /** Every call to Redis passes here: its only error is StoreUnavailable, which never carries the arguments of a command. */
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isSettled) await settle()
    if (!connection.up()) throw new StoreUnavailable(connection.problem() ?? 'the connection to Redis is not up')
    connection.batch()
    try {
      return await withinLimit(work())
    } catch (error) {
      const refusal = error instanceof StoreUnavailable ? error.refusal : replyCode(error)
      if (refusal === 'READONLY') connection.demoted()
      if (error instanceof StoreUnavailable) throw error
      throw new StoreUnavailable(explain(error, { offline: connection.problem(), topology }), refusal)
    }
  }

  return {
    get: key => run(() => client.getBuffer(prefixed(key)).then(bytesOrNone, notBytes)),
    set: (key, value, ttl) =>
      run(async () => {
        checkValue(value)
        await client.set(prefixed(key), value, 'PX', withMargin(ttl))
      }),
    delete: keys =>
      run(async () => {
        const gone = await Promise.all(keys.map(prefixed).map(key => client.del(key)))
        return gone.reduce((sum, count) => sum + count, 0)
      }),
    claim: (key, ttl) =>
      run(async () => {
        const first = (await client.set(prefixed(key), '1', 'PX', withMargin(ttl), 'NX')) === 'OK'
        // Attack: a failover right after it would make a used token new again.
        if (first && topology !== 'standalone') await replication(prefixed(key))
        return first
      }),
    count: (key, ttl, from = 0) =>
      run(async () => {
        const [counter, ms] = [prefixed(key), withMargin(ttl)]
        checkStart(from)
        // The expiry is set first, so that no counter is without one.
        const [, count] = await Promise.all([client.set(counter, `${from}`, 'PX', ms, 'NX'), client.incr(counter)])
        return count
      }),
    indexAdd: (key, member, ttl) =>
      run(async () => {
        checkName(member)
        const [index, ms, now] = [prefixed(key), withMargin(ttl), clock.now()]
        const [, extended] = await Promise.all([
          client.zadd(index, now + ttl, member),
          // The index lives as long as its longest member.
          client.pexpire(index, ms, 'GT'),
          random(1).readUInt8() < cleaned ? client.zremrangebyscore(index, '-inf', now) : 0,
        ])
        // A new index has no expiry that could be later.
        if (extended === 0) await client.pexpire(index, ms, 'NX')
      }),
    indexRemove: (key, members) =>
      run(async () => {
        members.forEach(checkName)
        if (members.length > 0) await client.zrem(prefixed(key), ...members)
      }),
    indexPage: (key, cursor, count) =>
      run(async () => {
        checkCount(count)
        return pageOf(client, prefixed(key), { cursor, count, now: clock.now() })
      }),
    hasRoom: key =>
      run(async () => {
        const where = prefixed(key)
        // A cluster connects to a node with the first command for it.
        if (connection.writers(where).length === 0) await client.getBuffer(where)
        const found = await Promise.all(connection.writers(where).map(one => one.info('memory').catch(withoutInfo)))
        return found.length > 0 && found.every(isRoomy)
      }),
    publish: (channel, message) =>
      run(async () => {
        await client.publish(prefixed(channel), String(message))
      }),
    subscribe: (channel, onMessage, onGap, onBreak) => subscriptions.add(prefixed(channel), onMessage, onGap, onBreak),
    replication: () => run(() => replication()),
    probe: () => run(probe),
    async close() {
      subscriptions.close()
      await connection.close()
    },
  }
}

/**
 * The expiry in Redis: a tenth more, at most a minute, so that a replica whose clock is ahead does not drop a claim after a
 * failover while its token is still valid.
 */
function withMargin(ttl: number): number {
  checkTtl(ttl)
  return ttl + Math.min(60_000, Math.ceil(ttl / 10))
}

/** Of a time limit, the part by which a call may be late: all calls share one timer. */
const lateness = 1 / 8

/** One command has its own limit; this one is for several in a row, or one that waits for a cluster. Milliseconds. */
function createTimeLimit(limit: number): <T>(work: Promise<T>) => Promise<T> {
  const waiting = createInFlight<{ until: number; reject(error: Error): void }>()
  let isLooking = false
  const lookLater = () => {
    if (isLooking || waiting.all().length === 0) return
    isLooking = true
    setTimeout(look, limit * lateness)
  }
  const look = () => {
    isLooking = false
    const now = performance.now()
    for (const one of waiting.all().filter(({ until }) => now >= until)) {
      waiting.remove(one)
      one.reject(new StoreUnavailable('Redis did not answer in time'))
    }
    lookLater()
  }
  return work =>
    new Promise((resolve, reject) => {
      const one = { until: performance.now() + limit, reject }
      waiting.add(one)
      lookLater()
      work.then(
        result => {
          waiting.remove(one)
          resolve(result)
        },
        error => {
          waiting.remove(one)
          reject(error)
        },
      )
    })
}

/** What Redis says of its memory; nothing where its user may not ask. Without a limit it is the machine's. */
function isRoomy(info: string): boolean {
  const [used = 0, limit = 0] = ['used_memory', 'maxmemory'].map(name =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0),
  )
  return limit === 0 || used < limit * usableShare
}

function withoutInfo(error: unknown): string {
  if (replyCode(error) === 'NOPERM') return ''
  throw error
}

function bytesOrNone(found: Buffer | null): Buffer | undefined {
  return found ?? undefined
}

/** The key holds something that is not a string, so not ours: not undefined, but empty. */
function notBytes(error: unknown): Buffer {
  if (replyCode(error) === 'WRONGTYPE') return none
  throw error
}

/** Where the last page ended: its last member, and how many members with the same score came up to it. */
interface PagePosition {
  score: number
  ties: number
  member: string
}

const cursorForm = /^(\d{1,16})\.(\d{1,9})\.([!-~]{1,256})$/

/**
 * One page of an index, which is a sorted set (score: when the member expires). The order is by score, then by member.
 * A page neither repeats nor skips a member that stays in the index, whatever is added and removed between two pages.
 * `now` in milliseconds: members that have expired by then are left out. An invalid cursor gives an empty page.
 */
async function pageOf(
  client: Commands,
  index: string,
  { cursor, count, now }: { cursor: string | undefined; count: number; now: number },
): Promise<IndexPage> {
  const position = cursor === undefined ? undefined : parseCursor(cursor)
  if (cursor !== undefined && !position) return { members: [], cursor: undefined }
  const least = position && position.score > now ? String(position.score) : `(${now}`
  // Usually the last member of the last page has not moved, and the next page begins right behind it.
  const from = position && position.score > now ? Math.max(0, position.ties - 1) : 0
  const rows = await read(client, index, least, from, count + 2)
  if (!position || position.score <= now) return toPage(rows, count)
  if (rows[0]?.member === position.member && rows[0].score === position.score)
    return toPage(rows.slice(1), count, position)
  return search(client, index, position, count)
}

/** The position has moved: walks through the members with the same score to the first one behind it. */
async function search(client: Commands, index: string, position: PagePosition, count: number): Promise<IndexPage> {
  for (let from = 0; ; from += 1000) {
    const rows = await read(client, index, String(position.score), from, 1000)
    const behind = rows.findIndex(({ score, member }) => score > position.score || member > position.member)
    if (behind >= 0) {
      const at = from + behind
      return toPage(await read(client, index, String(position.score), at, count + 1), count, {
        score: position.score,
        ties: at,
      })
    }
    if (rows.length < 1000) return { members: [], cursor: undefined }
  }
}

async function read(client: Commands, index: string, least: string, from: number, count: number): Promise<Row[]> {
  const flat = await client.zrangebyscore(index, least, '+inf', 'WITHSCORES', 'LIMIT', from, count)
  const rows: Row[] = []
  for (let at = 0; at + 1 < flat.length; at += 2) rows.push({ member: flat[at] ?? '', score: Number(flat[at + 1]) })
  return rows
}

interface Row {
  member: string
  score: number
}

/** `before`: how many members with that score precede the first row. */
function toPage(rows: Row[], count: number, before?: Pick<PagePosition, 'score' | 'ties'>): IndexPage {
  const shown = rows.slice(0, count)
  const members = shown.map(({ member }) => member)
  const last = shown[count - 1]
  if (!last || rows.length <= count) return { members, cursor: undefined }
  const ties =
    shown.filter(({ score }) => score === last.score).length + (before?.score === last.score ? before.ties : 0)
  return { members, cursor: `${last.score}.${ties}.${last.member}` }
}

function parseCursor(cursor: string): PagePosition | undefined {
  const [, score, ties, member] = cursorForm.exec(cursor) ?? []
  if (score === undefined || ties === undefined || member === undefined) return undefined
  return { score: Number(score), ties: Number(ties), member }
}
