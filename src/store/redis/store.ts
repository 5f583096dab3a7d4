// The store on Redis: single-key commands only, so that it works on a cluster. Every failure is StoreUnavailable with a
// sentence for the operator; a command that timed out has failed, whether or not Redis still executed it.

import type { Clock, Random, Store } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import { checkCount, checkName, checkTtl, checkValue } from '../validate.js'
import type { RedisConnection } from './connection.js'
import { explain, replyCode } from './error-messages.js'
import { pageOf } from './page.js'
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

  /** Every call to Redis passes here: its only error is StoreUnavailable, which never carries the arguments of a command. */
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    await connection.settled
    if (!connection.up()) throw new StoreUnavailable(connection.problem() ?? 'the connection to Redis is not up')
    try {
      return await withTimeout(connection.limit, work())
    } catch (error) {
      const refusal = error instanceof StoreUnavailable ? error.refusal : replyCode(error)
      if (refusal === 'READONLY') connection.demoted()
      if (error instanceof StoreUnavailable) throw error
      throw new StoreUnavailable(explain(error, { offline: connection.problem(), topology }), refusal)
    }
  }

  return {
    get: key => run(async () => (await client.getBuffer(prefixed(key)).catch(notBytes)) ?? undefined),
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
    count: (key, ttl) =>
      run(async () => {
        const [counter, ms] = [prefixed(key), withMargin(ttl)]
        // The expiry is set first, so that no counter is without one.
        await client.set(counter, '0', 'PX', ms, 'NX')
        return client.incr(counter)
      }),
    indexAdd: (key, member, ttl) =>
      run(async () => {
        checkName(member)
        const [index, ms, now] = [prefixed(key), withMargin(ttl), clock.now()]
        await Promise.all([
          client.zremrangebyscore(index, '-inf', now),
          client.zadd(index, now + ttl, member),
          // The index lives as long as its longest member: NX sets the first expiry, GT only extends it.
          client.pexpire(index, ms, 'NX'),
          client.pexpire(index, ms, 'GT'),
        ])
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

/** One command has its own limit; this one is for several in a row, or one that waits for a cluster. */
async function withTimeout<T>(limit: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable('Redis did not answer in time')), limit)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The key holds something that is not a string, so not ours: not undefined, but empty. */
function notBytes(error: unknown): Buffer {
  if (replyCode(error) === 'WRONGTYPE') return none
  throw error
}
