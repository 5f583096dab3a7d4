// Tries Redis as the gateway will use it: what kind of server it is, then every command that the gateway sends, and a message
// that must come back. The message of a failure says what an operator has to fix.

import type { Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import type { Commands } from './client.js'
import { replyCode } from './error-messages.js'
import { fieldOf } from './reconnection.js'
import type { Subscriptions } from './subscriptions.js'
import type { Topology } from './url.js'

export interface RedisProbeDeps {
  client: Commands
  subscriptions: Pick<Subscriptions, 'channels' | 'arrival'>
  topology: Topology
  /** Which part of a cluster serves a key; the same for all where there is one server. */
  partOf(key: string): string
  /** How many parts there are. */
  parts(): number
  keyPrefix: string
  log: Log
  random: Random
  /** Milliseconds that a message may take. */
  patience: number
}

/** Milliseconds that what is left behind by a probe that was cut short stays. */
const kept = 10_000
/** Keys that are tried out to find one for each part of a cluster. */
const maxTries = 1000

/** Rejects with StoreUnavailable, or with the error of the client. */
export function createRedisProbe(deps: RedisProbeDeps): () => Promise<void> {
  const { client, topology, log } = deps
  let warned = false

  const checkEviction = async () => {
    const policy = await client.info('memory').then(evictionOf, () => undefined)
    if (policy === undefined || warned) return
    warned = true
    log.warn(
      { store: 'redis', policy },
      'Redis evicts keys when it is full; set maxmemory-policy noeviction, otherwise used tokens and sessions are lost',
    )
  }

  return async () => {
    checkTopology(topology, await greeting(client))
    await Promise.all([...keysOf(deps).map(key => checkCommands(client, key)), checkMessages(deps)])
    await checkEviction()
  }
}

/** A key for each part of a cluster: what one part refuses, another may take. */
function keysOf({ keyPrefix, random, parts, partOf }: RedisProbeDeps): string[] {
  const found = new Map<string, string>()
  for (let tries = 0; tries < maxTries && found.size < Math.max(1, parts()); tries++) {
    // The braces keep all keys of one try in one part.
    const key = `${keyPrefix}p:{${random(16).toString('base64url')}}`
    found.set(partOf(key), key)
  }
  return [...found.values()]
}

/** Everything that the store asks of its keys. */
async function checkCommands(client: Commands, key: string): Promise<void> {
  const index = `${key}:i`
  try {
    await client.set(key, '1', 'PX', kept, 'NX')
    await client.incr(key)
    const read = await client.getBuffer(key)
    await client.zadd(index, 1, 'm')
    await client.pexpire(index, kept, 'NX')
    const rows = await client.zrangebyscore(index, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
    await client.zremrangebyscore(index, '-inf', 0)
    await client.zrem(index, 'm')
    const removed = await client.del(key)
    if (read?.toString() === '2' && rows[0] === 'm' && removed === 1) return
  } catch (error) {
    await Promise.allSettled([client.del(key), client.del(index)])
    throw error
  }
  throw new StoreUnavailable(
    'Redis lost a key within milliseconds: does it evict keys, or is this a proxy in front of several servers?',
  )
}

/** A message on every channel that this process listens to must come back. Other processes ignore it. */
async function checkMessages({ client, subscriptions, random, patience }: RedisProbeDeps): Promise<void> {
  for (const channel of await subscriptions.channels()) {
    // The former form tells the others that this process does not count revocations (sessions/revocation-events.ts).
    const message = `probe:counts:${random(16).toString('base64url')}`
    const { arrived, cancel } = subscriptions.arrival(channel, message)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const lost = 'a message published in Redis did not arrive: revocations from other replicas are noticed late'
      timer = setTimeout(() => reject(new StoreUnavailable(lost)), patience)
    })
    try {
      await Promise.all([client.publish(channel, message), Promise.race([arrived, late])])
    } finally {
      clearTimeout(timer)
      cancel()
    }
  }
}

/** A cluster may answer from any of its nodes, also from a replica. */
function checkTopology(wanted: Topology, { mode, role }: { mode?: unknown; role?: unknown }): void {
  if (mode === 'cluster') {
    if (wanted !== 'cluster') throw new StoreUnavailable('this is a cluster node: use redis+cluster://')
    return
  }
  if (mode === 'sentinel') throw new StoreUnavailable('this is a Sentinel: use redis+sentinel://')
  if (wanted === 'cluster' && mode !== undefined) throw new StoreUnavailable('this is not a cluster node: use redis://')
  if (role !== 'replica' && role !== 'slave') return
  if (wanted === 'sentinel') throw new StoreUnavailable('the Sentinels led to a replica: a failover is under way')
  const hint = 'give the address of the primary, or use redis+sentinel://'
  throw new StoreUnavailable(`this is a replica (READONLY): ${hint}`, 'READONLY')
}

/** What HELLO says (Redis 6 and newer); nothing where it is not known or not allowed. */
async function greeting(client: Commands): Promise<{ mode?: unknown; role?: unknown }> {
  const reply: unknown = await client.call('HELLO').catch((error: Error) => {
    if (['ERR', 'NOPERM'].includes(replyCode(error) ?? '')) return []
    throw error
  })
  return { mode: fieldOf(reply, 'mode'), role: fieldOf(reply, 'role') }
}

/** The policy, when it is one that drops keys before they expire. */
function evictionOf(info: string): string | undefined {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  const limited = /^maxmemory:[1-9]/m.test(info)
  return limited && policy !== 'noeviction' ? policy : undefined
}
