// The stores for the contract suites, each opened as in the gateway.

import type { StoreSettings } from '../../src/config/schema/sessions.js'
import type { Clock } from '../../src/core/clock.js'
import { createSecret } from '../../src/core/secret.js'
import type { Store } from '../../src/core/store.js'
import { createLog } from '../../src/ops/log.js'
import { openStore } from '../../src/store/open.js'
import { createAuthority } from './certificates.js'
import { type RedisServer, startRedis } from './redis.js'
import { startCluster } from './redis-cluster.js'
import { startSentinel } from './redis-sentinel.js'
import { missingParts } from './required-parts.js'

export interface OpenedStores {
  /** Another connection to the same data, as another replica has it; for the memory store the same object. */
  another(): Store
  /** The server, where there is one. */
  redis: Pick<RedisServer, 'command'> | undefined
  /** Closes all connections and the server. */
  end(): Promise<void>
}

export interface StoreKind {
  name: string
  skip: string | false
  start(clock: Clock): Promise<OpenedStores>
}

/** The ACL of the gateway's user: commands, keys and channels. */
export const gatewayAcl = (keyPrefix: string) =>
  `gate on >p@ss:w/rd% ~${keyPrefix}* &${keyPrefix}* -@all +get +set +del +zadd +zrem +zrangebyscore +zremrangebyscore ` +
  '+incr +pexpire +publish +subscribe +ping +hello +auth +quit +client|setname +role +wait +info +cluster|slots'

export const silent = createLog({ level: 'silent' })

/** The settings of a URL, with more settings of the object form. */
export function storeSettings(url: string, more: Partial<Omit<StoreSettings, 'url'>> = {}): StoreSettings {
  const none = { username: undefined, password: undefined, sentinelPassword: undefined, tls: undefined }
  return { ...none, keyPrefix: 'deskgate:', ...more, url: createSecret(url) } as StoreSettings
}

export const storeKinds: StoreKind[] = [
  {
    name: 'memory',
    skip: false,
    async start(clock) {
      const store = openStore(storeSettings('memory'), { clock, log: silent })
      return { another: () => store, redis: undefined, end: () => store.close() }
    },
  },
  {
    name: 'Redis',
    skip: missingParts('redis'),
    async start(clock) {
      const redis = await startRedis({ process: 'any' })
      return connectTo(redis, storeSettings(redis.url, { keyPrefix: redis.keyPrefix }), clock)
    },
  },
  {
    name: 'Redis with TLS, a client certificate and an ACL user',
    skip: missingParts('redis-server', 'openssl'),
    async start(clock) {
      const authority = await createAuthority()
      const ca = { path: authority.certFile, text: authority.cert }
      const [server, client] = [await authority.issue(['redis.test']), await authority.issue(['gateway.test'])]
      const files = { ca: authority.certFile, cert: server.certFile, key: server.keyFile }
      const redis = await startRedis({ tls: files, acl: [gatewayAcl('tls:')] })
      const url = `rediss://gate:${encodeURIComponent('p@ss:w/rd%')}@127.0.0.1:${redis.port}/`
      const [cert, key] = [
        { path: client.certFile, text: client.cert },
        { path: client.keyFile, text: client.key },
      ]
      const tls = { ca, cert, key, serverName: 'redis.test' }
      const stores = connectTo(redis, storeSettings(url, { keyPrefix: 'tls:', tls }), clock)
      return { ...stores, end: () => stores.end().then(authority.remove) }
    },
  },
  {
    name: 'Redis Sentinel with a password, and an ACL user',
    skip: missingParts('redis-server'),
    async start(clock) {
      const setup = await startSentinel({ password: 'watch', acl: [gatewayAcl('sentinel:')] })
      const login = { username: 'gate', password: createSecret('p@ss:w/rd%'), sentinelPassword: createSecret('watch') }
      const redis = { command: setup.servers[0]?.command as RedisServer['command'], stop: setup.stop }
      return connectTo(redis, storeSettings(setup.url, { keyPrefix: 'sentinel:', ...login }), clock)
    },
  },
  {
    name: 'Redis Cluster with an ACL user',
    skip: missingParts('redis-server'),
    async start(clock) {
      const setup = await startCluster({ acl: [gatewayAcl('cluster:')] })
      const url = setup.url.replace('//', `//gate:${encodeURIComponent('p@ss:w/rd%')}@`)
      const command: RedisServer['command'] = async (...args) =>
        (await Promise.all(setup.masters.map(node => node.command(...args)))).flat()
      return connectTo({ command, stop: setup.stop }, storeSettings(url, { keyPrefix: 'cluster:' }), clock)
    },
  },
]

function connectTo(redis: Pick<RedisServer, 'command' | 'stop'>, settings: StoreSettings, clock: Clock): OpenedStores {
  const open: Store[] = []
  return {
    redis,
    another() {
      // Long enough for a machine that runs other tests beside this one.
      const store = openStore(settings, { clock, log: silent, commandTimeout: 10_000 })
      open.push(store)
      return store
    },
    async end() {
      await Promise.all(open.map(store => store.close()))
      await redis.stop()
    },
  }
}
