// Sentinel and Cluster on their bad days, and the messages for the operator: real processes, the right sentence, no waiting.

import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import type { StoreSettings } from '../../../src/config/schema/sessions.js'
import { createSecret } from '../../../src/core/secret.js'
import { createLog } from '../../../src/ops/log.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { openStore } from '../../../src/store/open.js'
import { createAuthority } from '../../parts/certificates.js'
import { startRedis } from '../../parts/redis.js'
import { startCluster } from '../../parts/redis-cluster.js'
import { startSentinel } from '../../parts/redis-sentinel.js'
import { missingParts } from '../../parts/required-parts.js'
import { gatewayAcl, storeSettings } from '../../parts/store-backends.js'
import { until } from '../../parts/wait-until.js'

const skip = missingParts('redis-server')
const bytes = Buffer.from('value')
const unavailable = (message: RegExp) => ({ name: 'StoreUnavailable', message })

function open(t: Test, settings: StoreSettings) {
  let text = ''
  const out = new PassThrough().on('data', chunk => {
    text += chunk
  })
  const store = openStore(settings, { clock: systemClock, log: createLog({ level: 'trace' }, out) })
  t.teardown(() => store.close())
  const sound = () =>
    store.probe().then(
      () => true,
      () => false,
    )
  return { store, sound, log: () => text }
}

async function failure(work: Promise<unknown>): Promise<{ error: Error | undefined; took: number }> {
  const begun = performance.now()
  const error = await work.then(
    () => undefined,
    (error: Error) => error,
  )
  return { error, took: performance.now() - begun }
}

t.test('a wrong address or password is named, with what to do about it', { skip }, async t => {
  const secret = 'pa55-word'
  const plain = await startRedis({ password: secret })
  t.teardown(() => plain.stop())
  const sentinel = await startSentinel({ password: secret })
  t.teardown(() => sentinel.stop())
  const node = await startRedis({ cluster: true })
  t.teardown(() => node.stop())
  const port = /:(\d+),/.exec(sentinel.url)?.[1]
  const sentinelPassword = createSecret(secret)
  const cases: [string, StoreSettings, RegExp][] = [
    ['a Redis that is no Sentinel', storeSettings(`redis+sentinel://127.0.0.1:${node.port}/desk`), /not a Sentinel/],
    ['no password for the Sentinels', storeSettings(sentinel.url), /sentinelPassword/],
    [
      'another password for the Sentinels',
      storeSettings(sentinel.url, { sentinelPassword: createSecret('pa55-wrong') }),
      /refuse the password.*sentinelPassword/,
    ],
    [
      'a primary that they do not know',
      storeSettings(sentinel.url.replace('/desk', '/other'), { sentinelPassword }),
      /no primary of this name/,
    ],
    [
      'a wrong password for Redis',
      storeSettings(sentinel.url, { sentinelPassword, username: 'x', password: createSecret('pa55-wrong') }),
      /WRONGPASS/,
    ],
    [
      'no Sentinel there',
      storeSettings('redis+sentinel://127.0.0.1:1,127.0.0.1:2/desk'),
      /no Sentinel answers.*address/,
    ],
    ['a Sentinel as Redis', storeSettings(`redis://:${secret}@127.0.0.1:${port}`), /this is a Sentinel/],
    ['a cluster node as Redis', storeSettings(node.url), /cluster node: use redis\+cluster/],
    ['a Redis as cluster', storeSettings(`redis+cluster://:${secret}@127.0.0.1:${plain.port}`), /not a cluster node/],
    ['no password for the cluster', storeSettings(`redis+cluster://127.0.0.1:${plain.port}`), /NOAUTH/],
    ['nothing there', storeSettings('redis+cluster://127.0.0.1:1'), /nothing listens at the address.*ECONNREFUSED/],
    ['a cluster without slots', storeSettings(`redis+cluster://127.0.0.1:${node.port}`), /cluster is down/],
  ]
  for (const [name, settings, message] of cases) {
    const { store, log } = open(t, settings)
    const { error, took } = await failure(store.probe())
    t.match(error, unavailable(message), name)
    t.ok(took < 6000, `${name}: ${Math.round(took)} ms`)
    const again = await failure(store.get('s:1'))
    t.match(again.error, unavailable(/./), name)
    t.ok(again.took < 3000, `${name}: at once, ${Math.round(again.took)} ms`)
    t.notMatch(`${error?.stack}`, /pa55|127\.0\.0\.1/, `${name}: no secret, no address`)
    t.notMatch(log(), /pa55/, `${name}: no login in the log`)
  }
})

t.test(
  'TLS with an ACL user, for Sentinel and for Cluster; without the right name nothing is sent',
  { skip: skip || missingParts('openssl') },
  async t => {
    const authority = await createAuthority()
    const [server, client] = [await authority.issue(['redis.test']), await authority.issue(['gateway.test'])]
    const files = { ca: authority.certFile, cert: server.certFile, key: server.keyFile }
    const acl = [gatewayAcl('deskgate:')]
    const [sentinel, cluster] = await Promise.all([
      startSentinel({ tls: files, acl, password: 'watch' }),
      startCluster({ tls: files, acl }),
    ])
    t.teardown(() => Promise.all([sentinel.stop(), cluster.stop(), authority.remove()]))
    const text = (value: string) => ({ path: 'x.pem', text: value })
    const tls = { ca: text(authority.cert), cert: text(client.cert), key: text(client.key), serverName: 'redis.test' }
    const login = {
      username: 'gate',
      password: createSecret('p@ss:w/rd%'),
      sentinelPassword: createSecret('watch'),
    }
    for (const [{ url }, words] of [
      [sentinel, /no Sentinel answers/],
      [cluster, /certificate of Redis is for another name: set sessions\.store\.tls\.serverName/],
    ] as const) {
      const { store, sound } = open(t, storeSettings(url, { ...login, tls }))
      await until(sound)
      let whole = false
      store.subscribe(
        'ended',
        () => {},
        () => {
          whole = true
        },
      )
      await until(() => whole)
      const wrong = open(t, storeSettings(url, { ...login, tls: { ...tls, serverName: 'other.test' } }))
      t.match((await failure(wrong.store.probe())).error, unavailable(words))
      const bare = open(t, storeSettings(url, login))
      t.match((await failure(bare.store.probe())).error, unavailable(/./), 'no plain text')
    }
  },
)

t.test('LOADING is reported at once, and it recovers', { skip }, async t => {
  const slow = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024']
  const redis = await startRedis({ more: slow })
  t.teardown(redis.stop)
  for (let i = 0; i < 60; i++) await redis.command('SET', `filler:${i}`, 'x'.repeat(2000))
  await redis.command('SAVE')
  const { store, sound } = open(t, storeSettings(redis.url))
  await redis.kill()
  const starting = redis.start()
  await until(async () => /LOADING/.test((await failure(store.get('s:1'))).error?.message ?? ''))
  await starting
  await until(sound)
})

t.test('READONLY: the primary was demoted; the client reconnects, and works once it is back', { skip }, async t => {
  const [redis, other] = [await startRedis(), await startRedis()]
  t.teardown(() => Promise.all([redis.stop(), other.stop()]))
  const { store, sound } = open(t, storeSettings(redis.url))
  await store.set('s:1', bytes, 60_000)
  await redis.command('REPLICAOF', '127.0.0.1', other.port)
  const { error, took } = await failure(store.set('s:1', bytes, 60_000))
  t.match(error, unavailable(/replica.*primary/))
  t.ok(took < 3000)
  await until(async () => /this is a replica/.test((await failure(store.probe())).error?.message ?? ''))
  await redis.command('REPLICAOF', 'NO', 'ONE')
  await until(sound)
})

t.test('Cluster: moved slots are followed without an error, and a failure is reported at once', { skip }, async t => {
  const cluster = await startCluster()
  t.teardown(cluster.stop)
  const { store, sound } = open(t, storeSettings(cluster.url))
  await until(sound)
  const keys = Array.from({ length: 60 }, (_, i) => `s:${i}`)
  await Promise.all(keys.map(key => store.set(key, bytes, 600_000)))
  const [next] = cluster.replicas
  await until(async () => {
    // On a busy machine one may run out of time: it is asked for until it has happened.
    await next?.command('CLUSTER', 'FAILOVER').catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 500))
    return String(await next?.command('ROLE')).startsWith('master')
  }, 60_000)
  await cluster.healthy()
  for (const key of keys) t.same(await store.get(key), bytes, `${key} after MOVED`)
  t.equal(await store.delete(keys), keys.length)

  let [gaps, breaks] = [0, 0]
  store.subscribe(
    'ended',
    () => {},
    () => gaps++,
    () => breaks++,
  )
  await until(() => gaps === 1)
  // A master and its only replica: no one can take over, so that no node answers for any slot.
  await Promise.all([cluster.replicas[0]?.kill(), cluster.masters[0]?.kill()])
  await until(async () => {
    const { error } = await failure(store.claim(`c:${Math.random()}`, 1000))
    return /cluster is down/.test(error?.message ?? '')
  })
  const { error, took } = await failure(Promise.all(keys.map(key => store.get(key))))
  t.match(error, unavailable(/./))
  t.ok(took < 3000, `${Math.round(took)} ms`)
  await Promise.all([cluster.replicas[0]?.start(), cluster.masters[0]?.start()])
  await cluster.healthy()
  await until(sound)
  await Promise.all(keys.map(key => store.set(key, bytes, 600_000)))
  await until(() => gaps === breaks + 1)
})

t.test(
  'Sentinel: a failover message ends the connections, and both reconnect to the new primary',
  { skip },
  async t => {
    const setup = await startSentinel()
    t.teardown(setup.stop)
    const { store, sound } = open(t, storeSettings(setup.url))
    const heard: string[] = []
    let [gaps, breaks] = [0, 0]
    store.subscribe(
      'ended',
      message => heard.push(message),
      () => gaps++,
      () => breaks++,
    )
    await until(() => gaps === 1)
    const first = await setup.primary()
    // Attack: it does not die, it is cut off. Its sockets stay open, and it would answer again.
    first.pause()
    await until(async () => (await setup.primary()) !== first, 20_000)
    await until(sound)
    await until(() => gaps >= 2 && breaks >= 1)
    first.resume()
    await store.publish('ended', 'after')
    await until(() => heard.includes('after'))
    t.equal(await store.claim('c:after', 60_000), true)
    t.equal(await (await setup.primary()).command('EXISTS', 'deskgate:c:after'), 1)
  },
)

t.test('a write is confirmed by a replica, in a tenth of a second or not at all', { skip }, async t => {
  const alone = await startRedis()
  const setup = await startSentinel()
  t.teardown(() => Promise.all([alone.stop(), setup.stop()]))
  t.equal(await open(t, storeSettings(alone.url)).store.replication(), 'single')
  const { store, sound } = open(t, storeSettings(setup.url))
  await until(sound)
  await store.set('s:1', bytes, 60_000)
  t.equal(await store.replication(), 'replicated')
  setup.servers[1]?.pause()
  await store.set('s:1', bytes, 60_000)
  const begun = performance.now()
  t.equal(await store.replication(), 'not replicated')
  t.ok(performance.now() - begun < 3000)
  const waits: number[] = []
  for (let time = 0; time < 5; time++) {
    const again = performance.now()
    t.equal(await store.replication(), 'not replicated')
    waits.push(performance.now() - again)
  }
  t.ok(Math.min(...waits) < 50, 'no second wait right after it')
  setup.servers[1]?.resume()
  await until(async () => (await store.replication()) === 'replicated')
})
