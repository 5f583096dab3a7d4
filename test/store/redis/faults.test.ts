// Redis on its bad days: down, stalled, restarted, full, refusing. Each call fails fast and closed, recovers by itself, and
// no message or log line holds a secret.

import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import type { StoreSettings } from '../../../src/config/schema/sessions.js'
import { createSecret } from '../../../src/core/secret.js'
import type { Store } from '../../../src/core/store.js'
import { createLog } from '../../../src/ops/log.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { openStore } from '../../../src/store/open.js'
import { createAuthority } from '../../parts/certificates.js'
import { type RedisOptions, type RedisServer, startRedis } from '../../parts/redis.js'
import { missingParts } from '../../parts/required-parts.js'
import { gatewayAcl, storeSettings } from '../../parts/store-backends.js'
import { until } from '../../parts/wait-until.js'

const skip = missingParts('redis-server')
const bytes = Buffer.from('value')
const unavailable = (message: RegExp) => ({ name: 'StoreUnavailable', message })

/** A store whose log is kept, closed at the end of the test. */
function open(t: Test, settings: StoreSettings): { store: Store; log: () => string } {
  let text = ''
  const out = new PassThrough().on('data', chunk => {
    text += chunk
  })
  const store = openStore(settings, { clock: systemClock, log: createLog({ level: 'trace' }, out) })
  t.teardown(() => store.close())
  return { store, log: () => text }
}

async function start(t: Test, options: RedisOptions = {}): Promise<RedisServer> {
  const redis = await startRedis(options)
  t.teardown(redis.stop)
  return redis
}

async function timed(work: Promise<unknown>): Promise<{ error: Error | undefined; took: number }> {
  const begun = performance.now()
  const error = await work.then(
    () => undefined,
    (error: Error) => error,
  )
  return { error, took: performance.now() - begun }
}

t.test(
  'a Redis that is down at the start is logged, crashes nothing, and is found once it is up',
  { skip },
  async t => {
    const redis = await start(t)
    await redis.kill()
    const { store, log } = open(t, storeSettings(redis.url))
    const first = await timed(store.probe())
    t.match(first.error, unavailable(/nothing listens.*ECONNREFUSED/))
    const heard: string[] = []
    let gaps = 0
    store.subscribe(
      'ended',
      message => heard.push(message),
      () => gaps++,
    )
    const later = await timed(store.get('s:1'))
    t.match(later.error, unavailable(/ECONNREFUSED/))
    t.ok(later.took < 750, 'no wait for a time limit')
    await redis.start()
    await until(() =>
      store.probe().then(
        () => true,
        () => false,
      ),
    )
    await until(() => gaps === 1)
    await store.publish('ended', 'here')
    await until(() => heard.length === 1)
    t.match(log(), /session store connection lost/)
    t.equal(log().match(/ECONNREFUSED/g)?.length, 2, 'one line for each connection, not for each attempt')
  },
)

t.test('a lost store is told by host and port, and without the login', async t => {
  const cases: [url: string, address: string][] = [
    ['redis://127.0.0.1:1/0', '127.0.0.1:1'],
    ['rediss://deskgate:hidden@localhost:1/0', 'localhost:1'],
    ['redis://:hidden@[::1]:1/0', '[::1]:1'],
    ['redis+sentinel://u:hidden@127.0.0.1:1,127.0.0.1:2/main', 'Sentinels 127.0.0.1:1, 127.0.0.1:2'],
    ['redis+cluster://u:hidden@127.0.0.1:1,127.0.0.1:2', 'cluster 127.0.0.1:1, 127.0.0.1:2'],
  ]
  for (const [url, address] of cases) {
    const { store, log } = open(t, storeSettings(url))
    await t.rejects(store.get('s:1'), { name: 'StoreUnavailable' })
    await until(() => log().includes('session store connection lost'))
    t.match(log(), `"sessions.store":"${address}"`, url)
    t.notMatch(log(), 'hidden')
  }
})

t.test(
  'a restart: calls fail until it is back, then all is well, and subscribers hear of the gap',
  { skip },
  async t => {
    const redis = await start(t)
    const { store } = open(t, storeSettings(redis.url))
    const heard: string[] = []
    let gaps = 0
    store.subscribe(
      'ended',
      message => heard.push(message),
      () => gaps++,
    )
    await until(() => gaps === 1)
    await redis.kill()
    await until(() =>
      store.get('s:1').then(
        () => false,
        () => true,
      ),
    )
    await t.rejects(store.claim('c:1', 1000), unavailable(/./))
    await redis.start()
    await until(() => store.claim('c:2', 60_000).catch(() => false))
    await until(() => gaps === 2)
    await store.publish('ended', 'after')
    await until(() => heard.length === 1)
    t.same(heard, ['after'])
  },
)

t.test(
  'Attack: Redis stalls in the middle of a claim: it fails in time, and is never given twice',
  { skip },
  async t => {
    const redis = await start(t)
    const { store } = open(t, storeSettings(redis.url))
    const other = open(t, storeSettings(redis.url)).store
    await Promise.all([store.probe(), other.probe()])
    redis.pause()
    const calls = await Promise.all([
      timed(store.claim('c:jwt:1', 60_000)),
      timed(store.get('s:1')),
      timed(store.set('s:1', bytes, 1000)),
      timed(store.indexPage('i:1', undefined, 10)),
      timed(store.publish('ended', 'x')),
    ])
    for (const { error, took } of calls) {
      t.match(error, unavailable(/did not answer in time/))
      t.ok(took > 300 && took < 4000, `${Math.round(took)} ms`)
    }
    redis.resume()
    await until(() =>
      other.probe().then(
        () => true,
        () => false,
      ),
    )
    await until(async () => (await redis.command('EXISTS', 'deskgate:c:jwt:1')) === 1)
    t.equal(await other.claim('c:jwt:1', 60_000), false, 'the claim that timed out was executed, and holds')
  },
)

t.test('commands in flight fail at once when the connection breaks, and are not sent again', { skip }, async t => {
  const redis = await start(t)
  const { store } = open(t, storeSettings(redis.url))
  await store.probe()
  redis.pause()
  const claim = timed(store.claim('c:1', 60_000))
  await redis.kill()
  const { error, took } = await claim
  t.match(error, unavailable(/./))
  t.ok(took < 750, `${Math.round(took)} ms: no wait for the time limit`)
  await redis.start()
  await until(() =>
    store.probe().then(
      () => true,
      () => false,
    ),
  )
  t.equal(await redis.command('DBSIZE'), 0)
})

t.test('a long stall: calls stop waiting, and it recovers without our help', { skip }, async t => {
  const redis = await start(t)
  const { store } = open(t, storeSettings(redis.url))
  await store.probe()
  redis.pause()
  // The connection is given up; from then on a call fails at once.
  await until(async () => {
    const { error, took } = await timed(store.get('s:1'))
    return error !== undefined && took < 200
  })
  redis.resume()
  await until(() =>
    store.probe().then(
      () => true,
      () => false,
    ),
  )
  t.equal(await store.get('s:1'), undefined)
})

t.test('Redis is full: writes fail and say why, reads go on, nothing is lost', { skip }, async t => {
  const redis = await start(t, { more: ['--maxmemory', '3mb', '--maxmemory-policy', 'noeviction'] })
  const { store } = open(t, storeSettings(redis.url))
  await store.set('s:1', bytes, 60_000)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  const writes = [
    store.set('s:2', bytes, 1000),
    store.claim('c:1', 1000),
    store.indexAdd('i:1', 'm', 1000),
    store.probe(),
  ]
  for (const { error } of await Promise.all(writes.map(timed))) {
    t.match(error, unavailable(/out of memory.*noeviction/))
  }
  t.same(await store.get('s:1'), bytes)
  t.equal(await store.delete(['s:1']), 1, 'a session can still be ended')
})

t.test('a warning for a Redis that evicts keys', { skip }, async t => {
  const redis = await start(t, { more: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] })
  const { store, log } = open(t, storeSettings(redis.url))
  await store.probe()
  await store.probe()
  t.equal(log().match(/noeviction/g)?.length, 1)
})

t.test('a key that holds something else reads as empty bytes, not as missing', { skip }, async t => {
  const redis = await start(t)
  const { store } = open(t, storeSettings(redis.url))
  await redis.command('HSET', 'deskgate:s:1', 'a', 'b')
  await redis.command('SET', 'deskgate:i:1', 'text')
  await redis.command('LPUSH', 'deskgate:c:1', 'x')
  t.same(await store.get('s:1'), Buffer.alloc(0))
  t.equal(await store.claim('c:1', 1000), false)
  await t.rejects(store.indexAdd('i:1', 'm', 1000), unavailable(/WRONGTYPE.*keyPrefix/))
  await t.rejects(store.indexPage('i:1', undefined, 10), unavailable(/WRONGTYPE/))
  await store.set('s:1', bytes, 1000)
  t.same(await store.get('s:1'), bytes)
})

t.test(
  'the probe names what an operator has to fix, and neither it nor the log shows the password',
  { skip },
  async t => {
    const secret = 'pa55-word'
    const primary = await start(t, { password: secret, acl: ['narrow on >pa55-word ~other:* &* +@all'] })
    const replica = await start(t, { more: ['--replicaof', '127.0.0.1', `${primary.port}`, '--masterauth', secret] })
    const node = await start(t, { cluster: true })
    const at = (rest: string) => storeSettings(`redis://${rest}127.0.0.1:${primary.port}`)
    const cases: [string, StoreSettings, RegExp][] = [
      ['no password', at(''), /requires a password.*NOAUTH/],
      ['wrong password', at(':pa55-wrong@'), /refuses the user name or password.*WRONGPASS/],
      ['unknown user', at(`nobody:${secret}@`), /WRONGPASS/],
      ['a user without the keys', at(`narrow:${secret}@`), /NOPERM/],
      [
        'a database that does not exist',
        storeSettings(`redis://:${secret}@127.0.0.1:${primary.port}/99`),
        /database number/,
      ],
      ['a replica', storeSettings(replica.url), /this is a replica/],
      ['a cluster node', storeSettings(node.url), /cluster node: use redis\+cluster/],
      [
        'TLS to a plain port',
        storeSettings(`rediss://:${secret}@127.0.0.1:${primary.port}`),
        /does Redis expect TLS there/,
      ],
    ]
    for (const [name, settings, message] of cases) {
      const { store, log } = open(t, settings)
      const { error } = await timed(store.probe())
      t.match(error, unavailable(message), name)
      const told = `${error?.stack} ${JSON.stringify(error)}`
      t.notMatch(told, /pa55|narrow|127\.0\.0\.1/, `${name}: no secret, no address`)
      t.notMatch(log(), /pa55|narrow/, `${name}: no login in the log`)
    }
    const good = open(t, storeSettings(`redis://127.0.0.1:${primary.port}`, { password: createSecret(secret) }))
    await good.store.probe()
  },
)

t.test('Attack: a database that may not be selected is not replaced by database 0', { skip }, async t => {
  const redis = await start(t)
  const { store } = open(t, storeSettings(`${redis.url}/99`))
  for (let tries = 0; tries < 5; tries++) {
    await t.rejects(store.set('s:1', bytes, 60_000), unavailable(/database number/))
    await t.rejects(store.claim('c:1', 60_000), unavailable(/database number/))
  }
  t.equal(await redis.command('DBSIZE'), 0)
  const right = open(t, storeSettings(`${redis.url}/3`)).store
  await right.set('s:1', bytes, 60_000)
  t.match(await redis.command('INFO', 'keyspace'), /db3:keys=1/)
})

t.test(
  'the server is verified: another name, another authority, no client certificate',
  { skip: skip || missingParts('openssl') },
  async t => {
    const [ours, theirs] = [await createAuthority(), await createAuthority('Another authority')]
    t.teardown(() => Promise.all([ours.remove(), theirs.remove()]))
    const [server, client] = [await ours.issue(['redis.test']), await ours.issue(['gateway.test'])]
    const redis = await start(t, {
      tls: { ca: ours.certFile, cert: server.certFile, key: server.keyFile },
      acl: [gatewayAcl('deskgate:')],
    })
    const text = (value: string) => ({ path: 'x.pem', text: value })
    const url = `rediss://gate:${encodeURIComponent('p@ss:w/rd%')}@127.0.0.1:${redis.port}`
    const good = { ca: text(ours.cert), cert: text(client.cert), key: text(client.key), serverName: 'redis.test' }
    const { serverName: _, ...unnamed } = good
    const { ca: __, ...system } = good
    const cases: [string, object, RegExp][] = [
      ['another name', { ...good, serverName: 'other.test' }, /for another name/],
      ['the name of the address', unnamed, /for another name/],
      ['another authority', { ...good, ca: text(theirs.cert) }, /not trusted|self-signed/],
      ['the authorities of the system', system, /not trusted|self-signed/],
      ['no client certificate', { ca: good.ca, serverName: 'redis.test' }, /client certificate/],
    ]
    for (const [name, tls, message] of cases) {
      const { error } = await timed(open(t, storeSettings(url, { tls })).store.probe())
      t.match(error, unavailable(message), name)
    }
    const plain = open(t, storeSettings(url.replace('rediss', 'redis'))).store
    t.match((await timed(plain.probe())).error, unavailable(/./), 'no plain text to a TLS port')
    const { store, log } = open(t, storeSettings(url, { tls: good }))
    await store.probe()
    t.notMatch(log(), /p@ss|127\.0\.0\.1/)
  },
)
