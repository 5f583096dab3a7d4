// Each way in which a real Redis refuses: how it is brought about on a running server, and what it then says.

import { rmSync } from 'node:fs'
import { Redis } from 'ioredis'
import { type RedisOptions, type RedisServer, startRedis } from './redis.js'
import { until } from './wait-until.js'

export interface Refusal {
  /** The code, or what stands for it in Redis's own words. */
  name: string
  /** Redis's own words. */
  words: RegExp
  /** What is refused; everything else works. */
  refuses: 'writes' | 'all' | 'publish' | 'messages' | 'connections'
  options?: RedisOptions
  /** The URL of the gateway, where it is not the server's own. */
  url?(redis: RedisServer): string
  bringAbout(redis: RedisServer): Promise<void>
  /** Takes it back. */
  lift(redis: RedisServer): Promise<void>
}

const set = (redis: RedisServer, ...pairs: string[]) => redis.command('CONFIG', 'SET', ...pairs).then(() => {})
const admin = { username: 'admin', password: 'admin' }
const users = (acl: string) => ({ admin, acl: ['admin on >admin ~* &* +@all', `gate on >gate-password ${acl}`] })
const asGate = ({ port }: RedisServer) => `redis://gate:gate-password@127.0.0.1:${port}`
const grant = (rules: string[]) => (redis: RedisServer) =>
  redis.command('ACL', 'SETUSER', 'gate', ...rules).then(() => {})
const all = '~* &* +@all'

/** A user of an ACL that is taken something away, while it is connected. */
const withoutPermission = (
  name: string,
  refuses: Refusal['refuses'],
  words: RegExp,
  take: string[],
  give: string[],
) => ({
  name: `NOPERM: ${name}`,
  words,
  refuses,
  options: users(all),
  url: asGate,
  bringAbout: grant(take),
  lift: grant(give),
})

export const refusals: Refusal[] = [
  withoutPermission(
    'channels',
    'messages',
    /NOPERM.* channel deskgate:ended.*Redis says: NOPERM this user has no permissions to access one of the channels/,
    ['resetchannels'],
    ['allchannels'],
  ),
  withoutPermission('SET', 'writes', /NOPERM.*SET;.*Redis says: .*'set' command/, ['-set'], ['+set']),
  withoutPermission('DEL', 'writes', /NOPERM.*DEL;.*Redis says: .*'del' command/, ['-del'], ['+del']),
  withoutPermission(
    'PUBLISH',
    'publish',
    /NOPERM.*PUBLISH;.*Redis says: .*'publish' command/,
    ['-publish'],
    ['+publish'],
  ),
  withoutPermission('keys', 'all', /NOPERM.* of keys deskgate:.*Redis says: .*keys/, ['resetkeys', '~other:*'], ['~*']),
  {
    name: 'OOM',
    words: /Redis says: OOM command not allowed when used memory > 'maxmemory'/,
    refuses: 'writes',
    bringAbout: redis => set(redis, 'maxmemory-policy', 'noeviction', 'maxmemory', '1'),
    lift: redis => set(redis, 'maxmemory', '0'),
  },
  {
    name: 'MISCONF',
    words:
      /Redis says: MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk/,
    refuses: 'writes',
    async bringAbout(redis) {
      const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as [string, string]
      await set(redis, 'save', '3600 1')
      rmSync(folder, { recursive: true })
      await redis.command('BGSAVE')
      await until(async () => /rdb_last_bgsave_status:err/.test(String(await redis.command('INFO', 'persistence'))))
    },
    lift: redis => set(redis, 'stop-writes-on-bgsave-error', 'no'),
  },
  {
    name: 'NOREPLICAS',
    words: /Redis says: NOREPLICAS Not enough good replicas to write/,
    refuses: 'writes',
    bringAbout: redis => set(redis, 'min-replicas-to-write', '1'),
    lift: redis => set(redis, 'min-replicas-to-write', '0'),
  },
  {
    name: 'READONLY',
    words: /READONLY/,
    refuses: 'writes',
    bringAbout: redis => redis.command('REPLICAOF', '127.0.0.1', '1').then(() => {}),
    lift: redis => redis.command('REPLICAOF', 'NO', 'ONE').then(() => {}),
  },
  {
    name: 'maxclients',
    words: /Redis says: ERR max number of clients reached/,
    refuses: 'connections',
    bringAbout: takeAllClients,
    lift: redis => {
      for (const client of taken.splice(0)) client.disconnect()
      return until(() => redis.command('PING').then(Boolean, () => false))
    },
  },
]

const taken: Redis[] = []

/** Ends the connections of others, and takes every one that Redis has. */
async function takeAllClients(redis: RedisServer): Promise<void> {
  const connect = () => {
    const client = new Redis({ port: redis.port, host: '127.0.0.1', retryStrategy: () => 5, connectionName: 'taker' })
    client.on('error', () => {})
    taken.push(client)
    return client
  }
  const first = connect()
  await until(() => first.status === 'ready')
  await first.config('SET', 'maxclients', '6')
  for (let i = 0; i < 20; i++) connect()
  const list = async () =>
    String(await first.client('LIST'))
      .trim()
      .split('\n')
  await until(async () => {
    const others = (await list()).filter(line => !line.includes('name=taker'))
    for (const line of others) await first.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '').catch(() => {})
    const lines = await list()
    return lines.length >= 6 && lines.every(line => line.includes('name=taker'))
  }, 20_000)
}

/** A server with that refusal to come. */
export function startRefusing({ options }: Refusal): Promise<RedisServer> {
  return startRedis(options ?? {})
}
