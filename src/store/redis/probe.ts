// Tests a Redis as the gateway uses it: its topology, then a real write, read and delete. The message of a failure
// tells the operator what to fix.

import type { Random } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Log } from '../../ops/log.js'
import type { Commands } from './connect.js'
import type { Topology } from './url.js'

/** Rejects with StoreUnavailable, or with the client's own error. */
export function createRedisProbe(deps: {
  client: Commands
  topology: Topology
  keyPrefix: string
  log: Log
  random: Random
}): () => Promise<void> {
  const { client, topology, keyPrefix, log, random } = deps
  let warned = false

  const checkEviction = async () => {
    const policy = await client.info('memory').then(evictionOf, () => undefined)
    if (policy === undefined || warned) return
    warned = true
    log.warn(
      { store: 'redis', policy },
      'this Redis drops keys when it is full: set maxmemory-policy noeviction, or used tokens are forgotten and sessions lost',
    )
  }

  return async () => {
    checkTopology(topology, await greeting(client))
    const key = `${keyPrefix}p:${random(16).toString('base64url')}`
    const value = random(16)
    await client.set(key, value, 'PX', 10_000)
    const read = await client.getBuffer(key)
    const deleted = await client.del(key)
    if (!read?.equals(value) || deleted !== 1) {
      throw new StoreUnavailable(
        'Redis forgot a key within milliseconds: does it evict, or is it a proxy over several?',
      )
    }
    await checkEviction()
  }
}

/** A cluster may answer from any of its nodes, also from a replica. */
function checkTopology(wanted: Topology, { mode, role }: { mode?: unknown; role?: unknown }): void {
  if (mode === 'cluster') {
    if (wanted !== 'cluster') throw new StoreUnavailable('this is a cluster node: use redis+cluster://')
    return
  }
  if (mode === 'sentinel') throw new StoreUnavailable('this is a Sentinel: use redis+sentinel://')
  if (wanted === 'cluster' && mode !== undefined) throw new StoreUnavailable('this is no cluster node: use redis://')
  if (role !== 'replica' && role !== 'slave') return
  if (wanted === 'sentinel') throw new StoreUnavailable('the Sentinels led to a replica: a failover is under way')
  throw new StoreUnavailable('this is a replica: give the address of the primary, or use redis+sentinel://')
}

/** The answer to HELLO (Redis 6 and newer); empty where it is unknown or not allowed. */
async function greeting(client: Commands): Promise<{ mode?: unknown; role?: unknown }> {
  const reply: unknown = await client.call('HELLO').catch((error: Error) => {
    if (error.name === 'ReplyError' && /^(ERR|NOPERM) /.test(error.message)) return []
    throw error
  })
  if (!Array.isArray(reply)) return {}
  const field = (name: string) => {
    const at = reply.indexOf(name)
    return at < 0 ? undefined : reply[at + 1]
  }
  return { mode: field('mode'), role: field('role') }
}

/** The eviction policy, when it drops keys that have not expired. */
function evictionOf(info: string): string | undefined {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  const limited = /^maxmemory:[1-9]/m.test(info)
  return limited && policy !== 'noeviction' ? policy : undefined
}
