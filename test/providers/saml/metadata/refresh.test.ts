// Metadata while the gateway runs: when it is read again, what a change brings, and the copy that is kept for a start
// without the IdP, over a real Redis and real HTTP.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSecret } from '../../../../src/core/secret.js'
import { createKeyring } from '../../../../src/keys/keyring.js'
import { createLog } from '../../../../src/ops/log.js'
import { samlDuration } from '../../../../src/providers/saml/datetime.js'
import {
  createMetadataSource,
  type MetadataDeps,
  untilNextFetch,
} from '../../../../src/providers/saml/metadata/metadata.js'
import { createMetadataStoreCopy } from '../../../../src/providers/saml/metadata/store-copy.js'
import { systemRandom } from '../../../../src/runtime/clock.js'
import { createHttpClient } from '../../../../src/runtime/http-client.js'
import { openStore } from '../../../../src/store/open.js'
import { createTestClock } from '../../../parts/clock.js'
import { startHttpServer } from '../../../parts/http-server.js'
import { idpMetadata } from '../../../parts/idp-metadata.js'
import { type RedisServer, startRedis } from '../../../parts/redis.js'
import { missingParts } from '../../../parts/required-parts.js'
import { callbackOf, createSamlIdp, idpIssuer, newSigningKey } from '../../../parts/saml-idp.js'
import { openSaml, samlSettings, silent } from '../../../parts/saml-provider.js'
import { until } from '../../../parts/wait-until.js'

const old = newSigningKey('old')
const next = newSigningKey('next')
const evil = newSigningKey('evil')
const secret = 'the key ring of the metadata tests, long enough'

/** Timers that a test runs by hand: the soonest first. */
function createTimers() {
  const waiting: { run: () => void; ms: number }[] = []
  return {
    waits: () => waiting.map(({ ms }) => ms),
    schedule(run: () => void, ms: number) {
      const one = { run, ms }
      waiting.push(one)
      return { cancel: () => void (waiting.includes(one) && waiting.splice(waiting.indexOf(one), 1)) }
    },
    next() {
      const [one] = waiting.sort((a, b) => a.ms - b.ms).splice(0, 1)
      one?.run()
    },
  }
}

/** An IdP that serves `text` with an ETag, or fails while there is none. */
async function startIdp(test: Test, first: string | undefined) {
  const state = { text: first, full: 0, unchanged: 0 }
  const server = await startHttpServer((request, response) => {
    if (state.text === undefined) return void response.writeHead(503).end()
    const etag = `"${state.text.length}-${state.text.includes('x') ? 1 : 0}"`
    if (request.headers['if-none-match'] === etag) {
      state.unchanged++
      return void response.writeHead(304, { etag }).end()
    }
    state.full++
    response.writeHead(200, { etag }).end(state.text)
  })
  test.teardown(server.close)
  return { state, server, url: `${server.url}/metadata` }
}

function open(
  test: Test,
  place: { url: string } | { path: string; text: string },
  changes: Partial<MetadataDeps> = {},
) {
  const fetchText = createHttpClient()
  const timers = createTimers()
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const clock = createTestClock()
  const shared = { random: () => Buffer.from([0x80, 0]), schedule: timers.schedule }
  const source = createMetadataSource({ provider: 'corp', source: place, fetchText, clock, log, ...shared, ...changes })
  test.teardown(async () => {
    source.close()
    await fetchText.close()
  })
  const names = () => source.current()?.certificates.map(({ subject }) => subject) ?? 'none'
  return { source, timers, lines, clock, names }
}

t.test('a change is read, and what is unchanged is only asked for', async t => {
  const { state, url } = await startIdp(t, idpMetadata([old.certificate]))
  const { source, timers, names } = open(t, { url })
  await source.ready
  t.strictSame(timers.waits(), [3_600_000], 'hourly where the IdP says nothing')
  timers.next()
  await until(() => state.unchanged === 1 && timers.waits().length === 1)
  t.strictSame(names(), ['CN=old'])
  state.text = idpMetadata([old.certificate, next.certificate])
  timers.next()
  await until(() => timers.waits().length === 1)
  t.strictSame(names(), ['CN=old', 'CN=next'])
  t.match(state, { full: 2, unchanged: 1 })
})

t.test('what is broken is not taken, is said once, and does not pass for unchanged', async t => {
  const { state, url } = await startIdp(t, idpMetadata([old.certificate]))
  const { source, timers, names, lines } = open(t, { url })
  await source.ready
  state.text = '<x/>'
  for (let round = 0; round < 3; round++) {
    timers.next()
    await until(() => timers.waits().length === 1)
  }
  t.match(source.problem(), /not SAML metadata/)
  t.strictSame(names(), ['CN=old'])
  t.match(lines, [{ level: 'warn', provider: 'corp', error: /not SAML metadata/, kept: true }])
  t.equal(lines.length, 1)
  state.text = idpMetadata([old.certificate])
  timers.next()
  await until(() => source.problem() === undefined)
  t.equal(lines.length, 2)
})

t.test("the IdP's word on when to read again counts, within bounds", async t => {
  const now = Date.UTC(2026, 10, 22)
  const facts = { entityId: 'a', loginUrl: 'https://a', certificates: [] }
  const middle = () => Buffer.from([0x80, 0])
  const wait = (more: object, random = middle) => untilNextFetch({ ...facts, ...more }, { now, random })
  t.equal(wait({ cacheDuration: 600_000 }), 600_000)
  t.equal(wait({ cacheDuration: 1 }), 60_000)
  t.equal(wait({ cacheDuration: 30 * 86_400_000 }), 86_400_000)
  t.equal(wait({ validUntil: now + 1_200_000 }), 600_000)
  t.equal(wait({ validUntil: now + 1000 }), 60_000)
  t.equal(
    wait({}, () => Buffer.from([0, 0])),
    3_240_000,
  )
  t.equal(samlDuration('PT1H30M'), 5_400_000)
  t.equal(samlDuration('P1DT0.5S'), 86_400_000)
  t.equal(samlDuration('P1Y2M'), 36_720_000_000)
  for (const none of ['', 'P', 'PT', 'P1DT', '-PT1H', 'PT1H1', '1h']) t.equal(samlDuration(none), undefined, none)
})

t.test('cacheDuration is read, the shortest of those around', async t => {
  const { url } = await startIdp(t, idpMetadata([old.certificate], { attributes: ' cacheDuration="PT10M"' }))
  const { source, timers } = open(t, { url })
  await source.ready
  t.strictSame(timers.waits(), [600_000])
})

t.test('a key that nobody knows yet: one reading for all, and no second one within the cool-down', async t => {
  const { state, url, server } = await startIdp(t, idpMetadata([old.certificate]))
  const { source, clock } = open(t, { url })
  const settings = { ...samlSettings([]), metadata: { url } }
  const { provider } = openSaml(settings, { clock, metadata: source })
  await source.ready
  const login = async (signing = next) =>
    (await provider.handleCallback(callbackOf(createSamlIdp({ signing, clock }).message()))).reason ?? 'in'

  state.text = idpMetadata([old.certificate, next.certificate])
  t.strictSame(await Promise.all([login(), login(), login(old)]), ['in', 'in', 'in'])
  t.equal(server.seen.length, 2, 'one reading for both')

  t.equal(await login(evil), 'saml.signature_invalid')
  t.equal(server.seen.length, 2, 'Attack: forged messages cause no further request')
  clock.move(31_000)
  t.strictSame(await Promise.all([login(evil), login(evil)]), Array(2).fill('saml.signature_invalid'))
  t.equal(server.seen.length, 3)
})

t.test('a file is watched: a change, a swapped symlink, a broken one', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-metadata-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // As Kubernetes mounts a ConfigMap: the file is a link into ..data, a link that is swapped as a whole.
  const write = async (version: string, text: string) => {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'idp.xml'), text)
    await symlink(version, join(folder, `${version}.link`))
    await rename(join(folder, `${version}.link`), join(folder, '..data'))
  }
  const text = idpMetadata([old.certificate])
  await write('v1', text)
  const path = join(folder, 'idp.xml')
  await symlink('..data/idp.xml', path)
  const { source, timers, names, lines } = open(t, { path, text })
  t.strictSame(names(), ['CN=old'], 'at once')
  const look = async () => {
    timers.next()
    await until(() => timers.waits().length === 1)
  }
  await look()
  await write('v2', idpMetadata([next.certificate]))
  await look()
  t.strictSame(names(), ['CN=next'])
  await write('v3', idpMetadata([old.certificate]).slice(0, 200))
  await look()
  t.strictSame(names(), ['CN=next'], 'the old one stays')
  await look()
  t.match(lines, [{ level: 'warn', error: /not acceptable XML/, kept: true }], 'and it is said')
  await rm(join(folder, '..data'))
  await look()
  t.match(source.problem(), /ENOENT/)
  await write('v4', idpMetadata([old.certificate, next.certificate]))
  await look()
  t.strictSame(names(), ['CN=old', 'CN=next'])
  t.equal(source.problem(), undefined)
})

t.test('kept in Redis', { skip: missingParts('redis') }, async t => {
  const redis = await startRedis({ process: 'any' })
  t.teardown(redis.stop)
  let count = 0
  /** A gateway's part: a store of its own on that Redis. */
  const keep = (test: Test, changes: { url: string; secret?: string; redis?: RedisServer; signers?: string[] }) => {
    const clock = createTestClock()
    const at = changes.redis ?? redis
    const settings = { url: createSecret(at.url), keyPrefix: at.keyPrefix }
    const store = openStore(settings as Parameters<typeof openStore>[0], { clock, log: silent })
    test.teardown(() => store.close())
    const keyring = createKeyring([changes.secret ?? secret], { random: systemRandom })
    const identity = { provider: 'corp', url: changes.url, issuer: undefined, signers: changes.signers ?? [] }
    return { clock, store, kept: createMetadataStoreCopy(identity, { store, keyring, clock }) }
  }
  const keys = async () => (await redis.command('KEYS', `${redis.keyPrefix}m:*`)) as string[]
  /** A gateway has read it once, and another comes up while the IdP is down. */
  const readOnce = async (test: Test, text: string) => {
    const idp = await startIdp(test, text)
    const url = `${idp.url}?${++count}`
    const before = new Set(await keys())
    const first = keep(test, { url })
    const { source } = open(test, { url }, { storeCopy: first.kept, clock: first.clock, schedule: realLater })
    await source.ready
    await until(async () => (await keys()).length > before.size)
    idp.state.text = undefined
    const key = (await keys()).find(one => !before.has(one)) ?? ''
    return { idp, url, key }
  }
  const startAgain = async (test: Test, url: string, changes: Partial<Parameters<typeof keep>[1]> = {}, ms = 0) => {
    const second = keep(test, { url, ...changes })
    second.clock.move(ms)
    await second.store.probe().catch(() => {})
    await until(() =>
      second.store.probe().then(
        () => true,
        () => false,
      ),
    )
    const opened = open(test, { url }, { storeCopy: second.kept, clock: second.clock, schedule: realLater })
    await opened.source.ready
    return opened
  }

  t.test('a start while the IdP is down works', async t => {
    const { idp, url } = await readOnce(t, idpMetadata([old.certificate]))
    const { source, names } = await startAgain(t, url)
    t.strictSame(names(), ['CN=old'])
    t.match(source.problem(), /503/)
    idp.state.text = idpMetadata([next.certificate])
    await until(() => String(names()) === 'CN=next')
  })

  t.test('also when Redis is up only later', async t => {
    const own = await startRedis({ process: 'own' }).catch(() => undefined)
    if (!own) return t.pass('no redis-server of its own')
    t.teardown(own.stop)
    const idp = await startIdp(t, idpMetadata([old.certificate]))
    const first = keep(t, { url: idp.url, redis: own })
    const warm = open(t, { url: idp.url }, { storeCopy: first.kept, clock: first.clock, schedule: realLater })
    await warm.source.ready
    await until(async () => ((await own.command('KEYS', `${own.keyPrefix}m:*`)) as string[]).length === 1)
    idp.state.text = undefined
    own.pause()
    const second = keep(t, { url: idp.url, redis: own })
    const { source, names } = open(
      t,
      { url: idp.url },
      { storeCopy: second.kept, clock: second.clock, schedule: realLater },
    )
    await source.ready
    t.equal(names(), 'none')
    own.resume()
    await until(() => String(names()) === 'CN=old')
  })

  t.test('it holds the one IdP alone, with its end', async t => {
    const until = ' validUntil="2026-11-23T00:00:00Z"'
    const { url } = await readOnce(t, idpMetadata([old.certificate], { attributes: until }))
    t.strictSame((await startAgain(t, url, {}, 3_600_000)).names(), ['CN=old'])
    t.equal((await startAgain(t, url, {}, 86_400_000)).names(), 'none', 'never beyond validUntil')
  })

  t.test('it is not used when it is two weeks old', async t => {
    const { url } = await readOnce(t, idpMetadata([old.certificate]))
    t.equal((await startAgain(t, url, {}, 15 * 86_400_000)).names(), 'none')
  })

  t.test('Attack: who can write to Redis plants no certificate', async t => {
    const { url, key } = await readOnce(t, idpMetadata([old.certificate]))
    const good = Buffer.from((await redis.command('GET', key)) as string, 'utf8')
    const json = Buffer.from(JSON.stringify({ at: Date.UTC(2026, 10, 22), text: idpMetadata([evil.certificate]) }))
    const forged = [
      Buffer.concat([Buffer.of(1), Buffer.alloc(32), json]),
      Buffer.concat([good.subarray(0, 33), json]),
      Buffer.from(idpMetadata([evil.certificate])),
      Buffer.alloc(0),
      Buffer.of(1),
    ]
    for (const bytes of forged) {
      await redis.command('SET', key, bytes)
      t.equal((await startAgain(t, url)).names(), 'none')
    }
  })

  t.test("Attack: another provider's copy, put in its place, is not taken", async t => {
    const theirs = await readOnce(t, idpMetadata([evil.certificate]))
    const ours = await readOnce(t, idpMetadata([old.certificate]))
    await redis.command('COPY', theirs.key, ours.key, 'REPLACE')
    t.equal((await startAgain(t, ours.url)).names(), 'none')
  })

  t.test('another secret, or another metadataCertificate, does not find it', async t => {
    const { url } = await readOnce(t, idpMetadata([old.certificate]))
    t.equal((await startAgain(t, url, { secret: 'another key ring, which is long enough' })).names(), 'none')
    t.equal((await startAgain(t, url, { signers: ['ab'] })).names(), 'none')
    t.strictSame((await startAgain(t, url)).names(), ['CN=old'])
  })
})

/** Real time, for what waits for Redis or for an IdP to come back. */
function realLater(run: () => void, ms: number) {
  const timeout = setTimeout(run, ms)
  timeout.unref()
  return { cancel: () => clearTimeout(timeout) }
}

t.test('the facts of a kept copy are those of the whole', async t => {
  const { url } = await startIdp(
    t,
    idpMetadata([old.certificate, next.certificate], { loginUrl: 'https://i/?a=1&amp;b=2' }),
  )
  const texts: string[] = []
  const storeCopy = { find: async () => undefined, save: async (text: string) => void texts.push(text) }
  const { source, clock } = open(t, { url }, { storeCopy })
  await source.ready
  const { source: again } = open(t, { path: '/none', text: texts[0] ?? '' }, { clock })
  const { own: _, ...facts } = source.current() ?? {}
  t.match(again.current(), facts)
  t.equal(again.current()?.entityId, idpIssuer)
})
