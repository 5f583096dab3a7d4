// Each way in which a real Redis refuses: how it is brought about on a running server, and what it then says.

import { rmSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
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

/** An address of this machine that is not a loopback one. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find(one => one && one.family === 'IPv4' && !one.internal)?.address
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
  withoutPermission('keys', 'all', /NOPERM.* on keys deskgate:.*Redis says: .*keys/, ['resetkeys', '~other:*'], ['~*']),
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
    name: 'LOADING',
    words: /Redis says: LOADING Redis is loading the dataset in memory/,
    refuses: 'all',
    options: { more: ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024'] },
    // Loads a large RDB file, slowly: a minute unless it is let go on.
    async bringAbout(redis) {
      const admin = await stay(redis)
      await admin.call('DEBUG', 'POPULATE', '60000', 'filler', '100')
      await admin.call('CONFIG', 'SET', 'key-load-delay', '1000')
      admin.call('DEBUG', 'RELOAD').catch(() => {})
      const other = await stay(redis)
      await until(async () => /LOADING/.test(String(await other.get('x').catch(String))))
    },
    async lift(redis) {
      const admin = await stay(redis)
      await admin.call('CONFIG', 'SET', 'key-load-delay', '0')
      await until(() =>
        admin.get('x').then(
          () => true,
          () => false,
        ),
      )
      leave()
    },
  },
  {
    name: 'maxclients',
    words: /Redis says: ERR max number of clients( \+ cluster connections)? reached/,
    refuses: 'connections',
    bringAbout: redis => closeTo(redis, ['maxclients', '1']),
    lift: redis => openAgain(redis, ['maxclients', '10000']),
  },
  {
    name: 'protected mode',
    words: /protected mode.*Redis says: DENIED Redis is running in protected mode/,
    refuses: 'connections',
    // Its clients on the loopback address are not concerned: the gateway comes by another one.
    options: { more: ['--bind', '127.0.0.1', ...(ownAddress ? [ownAddress] : []), '--protected-mode', 'no'] },
    url: ({ port }) => `redis://${ownAddress}:${port}`,
    bringAbout: redis => closeTo(redis, ['protected-mode', 'yes']),
    lift: redis => openAgain(redis, ['protected-mode', 'no']),
  },
]

/** Whether this machine can bring it about. */
export const isPossible = ({ name }: Refusal) => name !== 'protected mode' || ownAddress !== undefined

const staying: Redis[] = []

/** A connection that remains when all others are refused. */
async function stay({ port }: RedisServer): Promise<Redis> {
  const client = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false, retryStrategy: () => null })
  client.on('error', () => {})
  staying.push(client)
  await until(() => client.status === 'ready')
  return client
}

const leave = () => staying.splice(0).forEach(client => void client.disconnect())
const keepers = new Map<number, Redis>()

/** Refuses new connections by that setting, and ends those that are there, but for the replicas'. */
async function closeTo(redis: RedisServer, setting: [string, string]): Promise<void> {
  const admin = await stay(redis)
  keepers.set(redis.port, admin)
  await admin.call('CONFIG', 'SET', ...setting)
  for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
}

async function openAgain(redis: RedisServer, setting: [string, string]): Promise<void> {
  await keepers.get(redis.port)?.call('CONFIG', 'SET', ...setting)
  keepers.get(redis.port)?.disconnect()
  keepers.delete(redis.port)
}

/** Connections that a server has refused since it was closed. */
export async function refusedBy({ port }: RedisServer): Promise<number> {
  return Number(/rejected_connections:(\d+)/.exec(String(await keepers.get(port)?.info('stats')))?.[1])
}

/** A server with that refusal to come. */
export function startRefusing({ options }: Refusal): Promise<RedisServer> {
  return startRedis(options ?? {})
}
