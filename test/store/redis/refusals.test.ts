// Each refusal of a real Redis in turn: what still works, what is reported, how often it is tried again, and that it recovers.

import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { openStore } from '../../../src/store/open.js'
import { commandAt, type RedisServer, startRedis } from '../../parts/redis.js'
import { startCluster } from '../../parts/redis-cluster.js'
import { isPossible, refusals, refusedBy, startRefusing } from '../../parts/redis-refusals.js'
import { startSentinel } from '../../parts/redis-sentinel.js'
import { missingParts } from '../../parts/required-parts.js'
import { gatewayAcl, storeSettings } from '../../parts/store-backends.js'
import { until } from '../../parts/wait-until.js'

const skip = missingParts('redis-server')
const bytes = Buffer.from('value')
const patience = 30_000

/** A store that listens, as the gateway's does. */
function open(t: Test, url: string) {
  let text = ''
  const out = new PassThrough().on('data', chunk => {
    text += chunk
  })
  const store = openStore(storeSettings(url), { clock: systemClock, log: createLog({ level: 'trace' }, out) })
  t.teardown(() => store.close())
  const heard: string[] = []
  let subscribed = 0
  store.subscribe(
    'ended',
    message => heard.push(message),
    () => subscribed++,
  )
  const failure = () =>
    store.probe().then(
      () => '',
      (error: Error) => error.message,
    )
  return { store, failure, heard, subscribed: () => subscribed, log: () => text }
}

const received = async (redis: RedisServer) =>
  Number(/total_connections_received:(\d+)/.exec(String(await redis.command('INFO', 'stats')))?.[1])

for (const refusal of refusals.filter(({ refuses }) => refuses !== 'connections')) {
  t.test(`${refusal.name}: only what is refused fails, and the cause is reported`, { skip }, async t => {
    const redis = await startRefusing(refusal)
    t.teardown(redis.stop)
    const { store, failure, heard, subscribed, log } = open(t, refusal.url?.(redis) ?? redis.url)
    await until(async () => (await failure()) === '' && subscribed() === 1)
    await store.set('s:1', bytes, 600_000)
    const before = await received(redis)
    await refusal.bringAbout(redis)
    await until(async () => refusal.words.test(await failure()))
    t.notMatch(await failure(), /127\.0\.0\.1|gate-password|\bgate\b/, 'no address, no user, no password')
    if (refusal.refuses !== 'all') t.same(await store.get('s:1'), bytes, 'reads go on')
    if (['writes', 'publish'].includes(refusal.refuses)) {
      const reads = await Promise.allSettled(
        Array.from({ length: 200 }, (_, i) => (i % 4 ? store.get('s:1') : store.delete(['s:none']))),
      )
      t.same(
        reads.filter((read, i) => i % 4 && read.status === 'rejected'),
        [],
        'also while writes beside them are refused',
      )
    }
    t.ok((await received(redis)) - before < 60, 'no storm of connections')
    t.notMatch(log(), /"level":"trace"/)
    await refusal.lift(redis)
    await until(async () => (await failure()) === '', patience)
    await store.publish('ended', 'after')
    await until(() => heard.includes('after'))
  })
}

for (const refusal of refusals.filter(({ refuses }) => refuses === 'connections')) {
  const missing = skip || (isPossible(refusal) ? false : 'this machine has only a loopback address')
  t.test(
    `${refusal.name}: few attempts, its own words, one line a minute, and it recovers`,
    { skip: missing },
    async t => {
      const redis = await startRefusing(refusal)
      t.teardown(redis.stop)
      const { failure, log } = open(t, refusal.url?.(redis) ?? redis.url)
      await until(async () => (await failure()) === '')
      await refusal.bringAbout(redis)
      await until(async () => refusal.words.test(await failure()), patience)
      await new Promise(resolve => setTimeout(resolve, 5000))
      t.match(await failure(), refusal.words)
      for (const purpose of ['commands', 'messages']) {
        const lines = log()
          .split('\n')
          .filter(line => line.includes(`"connection":"${purpose}"`) && refusal.words.test(line))
        t.equal(lines.length, 1, `${purpose}: one line, not one for each attempt`)
      }
      t.ok(log().split('\n').length < 20, log())
      await refusal.lift(redis)
      await until(async () => (await failure()) === '', patience)
    },
  )
}

/** In 5 s, of a client whose pauses grow from 50 ms to 5 s and are as short as they may be. */
const mostAttempts = 1 + [25, 50, 100, 200, 400, 800, 1600].length

/** Reads and writes of many keys at once, as the requests of agents make them, for so many milliseconds. */
async function traffic(store: ReturnType<typeof open>['store'], time: number) {
  const counts = { done: 0, failed: 0 }
  const end = performance.now() + time
  while (performance.now() < end) {
    const all = Array.from({ length: 50 }, (_, i) =>
      i % 10 ? store.get(`s:${i}`) : store.set(`s:${i}`, bytes, 600_000),
    )
    for (const { status } of await Promise.allSettled(all)) status === 'fulfilled' ? counts.done++ : counts.failed++
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return counts
}

const [maxclients] = refusals.filter(({ name }) => name === 'maxclients')

for (const count of [1, 3]) {
  t.test(`a cluster of which ${count} of 3 masters are at maxclients, under load`, { skip }, async t => {
    if (!maxclients) throw new Error('no refusal')
    const cluster = await startCluster()
    t.teardown(cluster.stop)
    const { store, failure, heard, log } = open(t, cluster.url)
    await until(async () => (await failure()) === '')
    await traffic(store, 100)
    const full = cluster.masters.slice(0, count)
    for (const master of full) await maxclients.bringAbout(master)
    await until(async () => maxclients.words.test(await failure()), patience)
    const before = await Promise.all(full.map(refusedBy))
    const healthy = cluster.nodes.filter(node => !full.includes(node))
    const receivedBefore = await Promise.all(healthy.map(received))
    const { done, failed } = await traffic(store, 5000)
    const after = await Promise.all(full.map(refusedBy))
    const attempts = after.map((total, i) => total - (before[i] ?? 0))
    t.comment(`attempts ${attempts}, done ${done}, failed ${failed}, lines ${log().split('\n').length}`)
    const most = 2 * mostAttempts
    for (const made of attempts) t.ok(made <= most, `${made} connections in 5 s, of at most ${most}`)
    // Those of the messages, two looks of the test at each, and one each half second to ask who serves what.
    const made = (await Promise.all(healthy.map(received))).reduce(
      (sum, total, i) => sum + total - (receivedBefore[i] ?? 0),
      0,
    )
    t.ok(made <= mostAttempts + 2 * healthy.length + 10, `${made} connections to the nodes that work`)
    t.ok(failed > 0)
    if (count < 3) t.ok(done > failed, 'the keys of the others work')
    t.match(await failure(), maxclients.words)
    t.ok(log().split('\n').length < 30, log())
    for (const master of full) await maxclients.lift(master)
    await until(async () => (await failure()) === '', patience)
    await until(async () => (await traffic(store, 1)).failed === 0, patience)
    await until(async () => {
      await store.publish('ended', 'after').catch(() => {})
      return heard.includes('after')
    }, patience)
  })
}

t.test('a primary behind Sentinels at maxclients, under load', { skip }, async t => {
  if (!maxclients) throw new Error('no refusal')
  const setup = await startSentinel()
  t.teardown(setup.stop)
  // Sentinels are refused as well: there shall be no failover.
  for (const [, port] of setup.url.matchAll(/:(\d+)/g))
    await commandAt(Number(port), {}, undefined, ['SENTINEL', 'SET', setup.name, 'down-after-milliseconds', '600000'])
  const { store, failure, heard, log } = open(t, setup.url)
  await until(async () => (await failure()) === '')
  const primary = await setup.primary()
  await maxclients.bringAbout(primary)
  await until(async () => maxclients.words.test(await failure()), patience)
  const before = await refusedBy(primary)
  const { failed, done } = await traffic(store, 5000)
  const attempts = (await refusedBy(primary)) - before
  t.comment(`attempts ${attempts}, done ${done}, failed ${failed}`)
  // The Sentinels try again once a second each, with two connections.
  const most = 2 * mostAttempts + 6 * 2 * [...setup.url.matchAll(/:\d+/g)].length
  t.ok(attempts <= most, `${attempts} connections in 5 s, of at most ${most}`)
  t.ok(failed > 0)
  t.match(await failure(), maxclients.words)
  t.ok(log().split('\n').length < 30, log())
  await maxclients.lift(primary)
  await until(async () => (await failure()) === '', patience)
  t.equal((await traffic(store, 1)).failed, 0)
  await store.publish('ended', 'after')
  await until(() => heard.includes('after'))
})

t.test('a user without channels is refused once, not 25 times a second', { skip }, async t => {
  const acl = ['admin on >admin ~* &* +@all', 'gate on >pw ~* resetchannels +@all']
  const redis = await startRedis({ acl, admin: { username: 'admin', password: 'admin' } })
  t.teardown(redis.stop)
  const { failure, subscribed, log, store } = open(t, `redis://gate:pw@127.0.0.1:${redis.port}`)
  await until(async () => /NOPERM.*SUBSCRIBE on the channel deskgate:ended/.test(await failure()))
  await new Promise(resolve => setTimeout(resolve, 3000))
  t.equal(log().match(/subscription refused/g)?.length, 1)
  t.ok((await received(redis)) < 20)
  t.equal(subscribed(), 0)
  t.equal(await store.get('s:1'), undefined)
  await redis.command('ACL', 'SETUSER', 'gate', '&deskgate:*')
  await until(() => subscribed() === 1, patience)
  t.match(log(), /"msg":"subscribed again"/)
  t.equal(await failure(), '')
})

t.test(
  'the commands of the documented user are all that the probe needs, and each one that lacks is named',
  { skip },
  async t => {
    const admin = { username: 'admin', password: 'admin' }
    const redis = await startRedis({ admin, acl: ['admin on >admin ~* &* +@all', gatewayAcl('deskgate:')] })
    t.teardown(redis.stop)
    const { failure } = open(t, `redis://gate:${encodeURIComponent('p@ss:w/rd%')}@127.0.0.1:${redis.port}`)
    await until(async () => (await failure()) === '')
    const commands = [
      'get',
      'set',
      'del',
      'incr',
      'zadd',
      'zrem',
      'zrangebyscore',
      'zremrangebyscore',
      'pexpire',
      'publish',
    ]
    for (const command of commands) {
      await redis.command('ACL', 'SETUSER', 'gate', `-${command}`)
      t.match(await failure(), new RegExp(`NOPERM\\): ${command.toUpperCase()};.*\\+`), command)
      await redis.command('ACL', 'SETUSER', 'gate', `+${command}`)
      t.equal(await failure(), '')
    }
    for (const command of ['role', 'wait', 'info', 'ping']) {
      await redis.command('ACL', 'SETUSER', 'gate', `-${command}`)
      t.equal(await failure(), '', `${command} is not needed`)
    }
    // What could not be deleted expires.
    const [, left] = (await redis.command('SCAN', '0', 'COUNT', '1000')) as [string, string[]]
    for (const key of left) t.ok(Number(await redis.command('PTTL', key)) > 0, 'nothing is left behind for good')
  },
)

t.test('a full and a read-only primary behind Sentinels; reads go on', { skip }, async t => {
  const setup = await startSentinel()
  t.teardown(setup.stop)
  const { store, failure } = open(t, setup.url)
  await until(async () => (await failure()) === '')
  await store.set('s:1', bytes, 600_000)
  for (const refusal of refusals.filter(({ name }) => ['OOM', 'NOREPLICAS'].includes(name))) {
    const primary = await setup.primary()
    const bringAbout =
      refusal.name === 'OOM'
        ? refusal.bringAbout
        : (redis: RedisServer) => redis.command('CONFIG', 'SET', 'min-replicas-to-write', '5')
    await bringAbout(primary)
    await until(async () => refusal.words.test(await failure()))
    const refused = await store.set('s:2', bytes, 1000).catch((error: Error) => error)
    t.match(refused, { name: 'StoreUnavailable', refusal: refusal.name })
    t.same(await store.get('s:1'), bytes)
    await refusal.lift(primary)
    await until(async () => (await failure()) === '')
  }
})

t.test('a cluster of which one master refuses, or is gone: the keys of the others work', { skip }, async t => {
  const cluster = await startCluster()
  t.teardown(cluster.stop)
  for (const node of cluster.nodes) await node.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
  const { store, failure } = open(t, cluster.url)
  await until(async () => (await failure()) === '')
  const keys = Array.from({ length: 60 }, (_, i) => `s:${i}`)
  await Promise.all(keys.map(key => store.set(key, bytes, 600_000)))
  const outcome = async (work: (key: string) => Promise<unknown>) => {
    const results = await Promise.allSettled(keys.map(work))
    return results.filter(({ status }) => status === 'fulfilled').length
  }
  const [master] = cluster.masters
  await master?.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1')
  await until(async () => /OOM/.test(await failure()))
  const written = await outcome(key => store.set(key, bytes, 600_000))
  t.ok(written > 20 && written < 60, `${written} of 60 writes`)
  t.equal(await outcome(key => store.get(key)), 60)
  for (let i = 0; i < 5; i++) t.match(await failure(), /OOM/, 'found whichever key is tried')
  await master?.command('CONFIG', 'SET', 'maxmemory', '0')
  await until(async () => (await failure()) === '')
  await Promise.all([cluster.replicas[0]?.kill(), master?.kill()])
  const gone = /CLUSTERDOWN|cluster does not answer|ECONNREFUSED/
  await until(async () => gone.test(await failure()), patience)
  for (let i = 0; i < 5; i++) t.match(await failure(), gone, 'found whichever key is tried')
  await until(async () => (await outcome(key => store.get(key))) > 20, patience)
  const claims = await Promise.allSettled(keys.map(key => store.claim(`c:${key}`, 60_000)))
  t.ok(
    claims.filter(({ status }) => status === 'fulfilled').length > 20,
    'one that is gone delays no claim of the others',
  )
})
