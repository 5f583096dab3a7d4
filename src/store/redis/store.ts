// The store on Redis: single-key commands only, so that it also holds on a cluster. Every failure is StoreUnavailable with
// a sentence for the operator; a command that timed out has failed, whether or not Redis still executed it.

import type { Clock, Random, Store } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import { systemRandom } from '../../runtime/clock.js'
import { checkCount, checkName, checkTtl, checkValue } from '../validate.js'
import type { RedisConnection } from './connect.js'
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

/** Takes the connection over: close() ends it. */
export function createRedisStore(deps: RedisStoreDeps): Store {
  const { connection, keyPrefix, clock, log } = deps
  const { client, topology } = connection
  const subscriptions = createSubscriptions({ subscriber: connection.subscriber, log })
  const probe = createRedisProbe({ client, topology, keyPrefix, log, random: deps.random ?? systemRandom })
  const replication = createReplication({ connection, clock, log })
  const named = (name: string) => {
    checkName(name)
    return keyPrefix + name
  }

  /** The one door to Redis: no error leaves it but StoreUnavailable, and none carries what was asked. */
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    await connection.settled
    if (!connection.up()) throw new StoreUnavailable(connection.trouble() ?? 'the connection to Redis is not up')
    try {
      return await within(connection.limit, work())
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error
      throw new StoreUnavailable(explain(error, { offline: connection.trouble(), topology }))
    }
  }

  return {
    get: key => ask(async () => (await client.getBuffer(named(key)).catch(notBytes)) ?? undefined),
    set: (key, value, ttl) =>
      ask(async () => {
        checkValue(value)
        await client.set(named(key), value, 'PX', kept(ttl))
      }),
    delete: keys =>
      ask(async () => {
        const gone = await Promise.all(keys.map(named).map(key => client.del(key)))
        return gone.reduce((sum, count) => sum + count, 0)
      }),
    claim: (key, ttl) =>
      ask(async () => {
        const first = (await client.set(named(key), '1', 'PX', kept(ttl), 'NX')) === 'OK'
        // Attack: a failover right after it would make a used token new again.
        if (first && topology !== 'standalone') await replication()
        return first
      }),
    count: (key, ttl) =>
      ask(async () => {
        const [counter, ms] = [named(key), kept(ttl)]
        // Its end comes first, whoever is the first: no counter is without one.
        await client.set(counter, '0', 'PX', ms, 'NX')
        return client.incr(counter)
      }),
    indexAdd: (key, member, ttl) =>
      ask(async () => {
        checkName(member)
        const [index, ms, now] = [named(key), kept(ttl), clock.now()]
        await Promise.all([
          client.zremrangebyscore(index, '-inf', now),
          client.zadd(index, now + ttl, member),
          // The index stays as long as its longest member: NX sets the first time, GT only ever adds to it.
          client.pexpire(index, ms, 'NX'),
          client.pexpire(index, ms, 'GT'),
        ])
      }),
    indexRemove: (key, members) =>
      ask(async () => {
        members.forEach(checkName)
        if (members.length > 0) await client.zrem(named(key), ...members)
      }),
    indexPage: (key, cursor, count) =>
      ask(async () => {
        checkCount(count)
        return pageOf(client, named(key), { cursor, count, now: clock.now() })
      }),
    publish: (channel, message) =>
      ask(async () => {
        await client.publish(named(channel), String(message))
      }),
    subscribe: (channel, onMessage, onGap, onBreak) => subscriptions.add(named(channel), onMessage, onGap, onBreak),
    replication: () => ask(replication),
    probe: () => ask(probe),
    async close() {
      subscriptions.close()
      await connection.close()
    },
  }
}

/**
 * What Redis is told to keep: a tenth more, at most a minute, so that a replica whose clock is ahead, promoted in a
 * failover, does not drop a claim while its token is still good.
 */
function kept(ttl: number): number {
  checkTtl(ttl)
  return ttl + Math.min(60_000, Math.ceil(ttl / 10))
}

/** One command has its own limit; several in a row, or one that waits for a cluster to come back, have this one. */
async function within<T>(limit: number, work: Promise<T>): Promise<T> {
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

/** Something that is no string lies at a key of ours. It is there, so it is not undefined; and it is nothing we wrote. */
function notBytes(error: unknown): Buffer {
  if (replyCode(error) === 'WRONGTYPE') return none
  throw error
}
