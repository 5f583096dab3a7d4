// What lies in the store and is not exactly what we wrote is not a session, says so in the audit log once, and never throws.

import { createHmac, hkdfSync } from 'node:crypto'
import t from 'tap'
import { createKeyring } from '../../src/keys/keyring.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createRecords, type SessionRecord } from '../../src/sessions/records.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'
import { createTestSessions, testSecret } from '../parts/sessions.js'

const settings = { idle: 3_600_000, lifetime: 86_400_000 }
const from = { address: '192.0.2.1', browser: 'Firefox' }
const identity = { provider: 'corp', email: 'a@example.com', replayKey: { id: 'x', until: 0 } }
const agent = { email: 'a@example.com', roles: ['admin'] }

async function start() {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  const made = createTestSessions({ store, clock, settings })
  const { session } = await made.sessions.create(identity, agent, from)
  const key = `s:${session.handle}`
  const good = await store.get(key)
  if (!good) throw new Error('no record')
  return { ...made, clock, store, session, key, good, put: (bytes: Buffer) => store.set(key, bytes, 60_000) }
}

/** A record with a right MAC around any content: what only the gateway, or an older one, could have written. */
function sealed(handle: string, json: string | Buffer, version = 2, publicUrl = here): Buffer {
  const key = Buffer.from(hkdfSync('sha256', testSecret, '', 'deskgate session record', 32))
  const content = Buffer.from(json as string)
  // Version 1 was not bound to publicUrl.
  const place = Buffer.from(version === 1 ? '' : `${publicUrl}\0`)
  const covered = Buffer.concat([Buffer.from(`s:${handle}\0`), Buffer.of(version), place, content])
  return Buffer.concat([Buffer.of(version), createHmac('sha256', key).update(covered).digest(), content])
}

const here = 'https://desk.example.com'
const whole = { agent, provider: 'corp', createdAt: 1, endsAt: Date.UTC(2030, 0, 1), from }

t.test('the test packs records like the gateway', async t => {
  const { session, sessions, put, good } = await start()
  const { handle, seenAt: _, ...rest } = session
  t.same(sealed(handle, JSON.stringify(rest)), good)
  await put(sealed(handle, JSON.stringify(whole)))
  t.ok(await sessions.read(handle))
})

t.test('Attack: bytes that are not exactly ours', async t => {
  const { session, sessions, put, good, audits } = await start()
  const json = (value: unknown) => sealed(session.handle, JSON.stringify(value))
  const flipped = (at: number) => Buffer.from(good.map((byte, i) => (i === at ? byte ^ 1 : byte)))
  const text = good.toString('latin1')
  const cases: [string, Buffer][] = [
    ['empty', Buffer.alloc(0)],
    ['one byte', Buffer.of(1)],
    ['only the head', good.subarray(0, 33)],
    ['another version', sealed(session.handle, JSON.stringify(whole), 3)],
    ['version 0', flipped(0)],
    ['a flipped bit in the MAC', flipped(5)],
    ['a flipped bit in the content', flipped(40)],
    ['the role changed', Buffer.from(text.replace('"admin"', '"owner"'), 'latin1')],
    ['another agent', Buffer.from(text.replace('a@example.com', 'b@example.com'), 'latin1')],
    ['more bytes', Buffer.concat([good, Buffer.from(' ')])],
    ['huge', Buffer.concat([good, Buffer.alloc(5_000_000, 32)])],
    ['signed, huge', json({ ...whole, provider: 'x'.repeat(70_000) })],
    ['not JSON', Buffer.from('{not json')],
    ['null', Buffer.from('null')],
    ['a MAC of nothing', Buffer.concat([Buffer.of(1), Buffer.alloc(32), good.subarray(33)])],
    ['signed, not JSON', sealed(session.handle, '{not json')],
    ['signed, no UTF-8', sealed(session.handle, Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
    ['signed, empty content', sealed(session.handle, '')],
    ...[null, [], 7, 'text', true, {}].map((odd): [string, Buffer] => [`signed ${JSON.stringify(odd)}`, json(odd)]),
    ['signed, without e-mail', json({ ...whole, agent: { roles: [] } })],
    ['signed, an e-mail that is a list', json({ ...whole, agent: { email: ['a@example.com'], roles: [] } })],
    ['signed, roles that are text', json({ ...whole, agent: { email: 'a@example.com', roles: 'admin' } })],
    ['signed, an end that is text', json({ ...whole, endsAt: '9999999999999' })],
    ['signed, no end', json({ ...whole, endsAt: null })],
    ['signed, one field more', json({ ...whole, admin: true })],
    [
      'signed, agent by __proto__',
      sealed(
        session.handle,
        JSON.stringify({ ...whole, agent: undefined }).replace('{', `{"__proto__":{"agent":${JSON.stringify(agent)}},`),
      ),
    ],
    ['signed, deep', sealed(session.handle, '['.repeat(30_000))],
  ]
  for (const [name, bytes] of cases) {
    await put(bytes)
    t.equal(await sessions.read(session.handle), undefined, name)
    t.same((await sessions.list('all')).items, [], `${name}: not listed`)
  }
  t.match(audits, [{ event: 'record_tampered', session: session.handle, why: 'size' }])
  t.equal(audits.length, 1, 'one line for a record, however often it is read')
  await put(good)
  t.ok(await sessions.read(session.handle))
})

t.test(
  'a record of the version before is read until it ends; it is ended, listed and found like any other',
  async t => {
    const { session, sessions, store, put, clock, audits, revocationReasons } = await start()
    const old = {
      ...whole,
      createdAt: clock.now(),
      endsAt: clock.now() + 3_000_000,
      saml: { nameId: 'a' },
      said: { name: 'A' },
    }
    await put(sealed(session.handle, JSON.stringify(old), 1))
    t.match(await sessions.read(session.handle), { agent, idpClaims: { name: 'A' }, endsAt: old.endsAt })
    t.equal((await sessions.list({ email: agent.email })).items.length, 1)
    t.equal(await sessions.end({ email: agent.email }, 'revoked'), 1)
    t.same(revocationReasons(session.handle), ['revoked'])
    t.equal(await store.get(`s:${session.handle}`), undefined)
    const next = await start()
    await next.put(sealed(next.session.handle, JSON.stringify(old), 1))
    next.clock.set(old.endsAt)
    t.equal(await next.sessions.read(next.session.handle), undefined, 'it ends when it was to end')
    t.same(
      [...audits, ...next.audits].filter(({ event }) => event === 'record_tampered'),
      [],
    )
  },
)

t.test(
  'Attack: an unbound record lives no longer than sessions.lifetime from its login, whatever its end says',
  async t => {
    const day = settings.lifetime
    const read = async (createdAt: number, endsAt: number, version = 1) => {
      const { session, sessions, put, clock, audits } = await start()
      const now = clock.now()
      const json = JSON.stringify({ ...whole, createdAt: now + createdAt, endsAt: now + endsAt })
      await put(sealed(session.handle, json, version))
      const found = await sessions.read(session.handle)
      const why = audits.find(({ event }) => event === 'record_tampered')?.why
      return { endsIn: found && found.endsAt - now, why }
    }
    t.same(await read(0, day), { endsIn: day, why: undefined }, 'as it was written')
    t.same(await read(-1000, 1000), { endsIn: 1000, why: undefined }, 'an earlier end of its own')
    t.same(await read(0, 365 * day), { endsIn: day, why: undefined }, 'a year')
    t.same(await read(-day + 1000, 365 * day), { endsIn: 1000, why: undefined }, 'nearly over')
    t.same(await read(-day, 365 * day), { endsIn: undefined, why: undefined }, 'over')
    t.same(
      await read(-2 * day, Number.MAX_SAFE_INTEGER - Date.UTC(2030)),
      { endsIn: undefined, why: undefined },
      'long over',
    )
    t.same(await read(2 * day, 3 * day), { endsIn: undefined, why: 'content' }, 'a login in the future')
    t.same(await read(61_000, day), { endsIn: undefined, why: 'content' })
    t.same(await read(59_000, day), { endsIn: day, why: undefined }, 'the clock of another replica')
    t.same(await read(0, 2 * day, 2), { endsIn: 2 * day, why: undefined }, 'one of ours has its own end')
  },
)

/** Written by the release before records were bound to publicUrl, with `testSecret`. */
const byOldRelease = {
  handle: 'DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo',
  bytes:
    'AdHGJsFEpTMBIVnfRP3MM50RbgNUA27BAwewO3qyKjNyeyJhZ2VudCI6eyJlbWFpbCI6ImFAZXhhbXBsZS5jb20iLCJyb2xlcyI6WyJhZG1pbiJdfSwi' +
    'cHJvdmlkZXIiOiJjb3JwIiwiY3JlYXRlZEF0IjoxNzk1MzA1NjAwMDAwLCJlbmRzQXQiOjE3OTUzOTIwMDAwMDAsImZyb20iOnsiYWRkcmVzcyI6IjE5' +
    'Mi4wLjIuMSIsImJyb3dzZXIiOiJGaXJlZm94In0sInNhbWwiOnsibmFtZUlkIjoiYUBleGFtcGxlLmNvbSIsInNlc3Npb25JbmRleCI6IjEifSwic2Fp' +
    'ZCI6eyJuYW1lIjoiQSJ9fQ==',
}

t.test(
  'a rolling upgrade: the bytes of an old replica are a session here, and ours are of a version that it refuses',
  async t => {
    const { sessions, store, clock, audits, good } = await start()
    await store.set(`s:${byOldRelease.handle}`, Buffer.from(byOldRelease.bytes, 'base64'), 60_000)
    await store.set(`a:${byOldRelease.handle}`, Buffer.from(String(clock.now())), 60_000)
    t.match(await sessions.read(byOldRelease.handle), {
      agent,
      provider: 'corp',
      saml: { nameId: 'a@example.com', sessionIndex: '1' },
      idpClaims: { name: 'A' },
      from,
    })
    t.same(audits, [])
    // It knows version 1 alone, so that it takes ours for no session, whatever the rest would be taken for.
    t.equal(good[0], 2)
  },
)

t.test('Attack: a record of a gateway with the same secrets and another publicUrl', async t => {
  const { session, sessions, put, audits, clock, store } = await start()
  const json = JSON.stringify(whole)
  const others = [
    'https://other.example.com',
    'http://desk.example.com',
    'https://desk.example.com:8443',
    'https://desk.example.com.evil.test',
    '',
    `${here}\0`,
  ]
  for (const other of others) {
    await put(sealed(session.handle, json, 2, other))
    t.equal(await sessions.read(session.handle), undefined, other)
  }
  await put(sealed(session.handle, `${here}\0${json}`, 2, ''))
  t.equal(await sessions.read(session.handle), undefined, 'what is moved between publicUrl and content')
  t.match(audits.at(-1), { event: 'record_tampered', why: 'mac' })
  for (const [from, to] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const bytes = sealed(session.handle, json, from)
    await put(Buffer.concat([Buffer.of(to), bytes.subarray(1)]))
    t.equal(await sessions.read(session.handle), undefined, `version ${from} called ${to}`)
  }
  const staging = createTestSessions({ store, clock, settings, publicUrl: 'https://staging.example.com' })
  const there = await staging.sessions.create(identity, agent, from)
  t.ok(await staging.sessions.read(there.session.handle))
  t.equal(await sessions.read(there.session.handle), undefined, 'also where both share one store')
})

t.test('a reload that changes publicUrl takes the sessions with it', async t => {
  const { session, sessions } = await start()
  let gaps = 0
  sessions.onGap(() => gaps++)
  await new Promise(setImmediate)
  gaps = 0
  sessions.bindTo(here)
  t.ok(sessions.peek(session.handle), 'the same one changes nothing')
  sessions.bindTo('https://new.example.com')
  t.equal(gaps, 1, 'what is open is read again')
  t.equal(sessions.peek(session.handle), undefined)
  t.equal(await sessions.read(session.handle), undefined)
  sessions.bindTo(here)
  t.ok(await sessions.read(session.handle), 'and back')
})

t.test('the audit event says what is wrong', async t => {
  for (const [why, change] of [
    ['size', () => Buffer.alloc(0)],
    ['version', (good: Buffer) => Buffer.concat([Buffer.of(9), good.subarray(1)])],
    ['mac', (good: Buffer) => Buffer.concat([good, Buffer.from(' ')])],
  ] as const) {
    const { session, sessions, put, good, audits } = await start()
    await put(change(good))
    await sessions.read(session.handle)
    t.same(audits, [{ event: 'record_tampered', session: session.handle, why }])
  }
})

t.test("Attack: a colleague's record copied to my session's key", async t => {
  const { session, sessions, store, put } = await start()
  const boss = await sessions.create(
    { ...identity, email: 'boss@example.com' },
    { email: 'boss@example.com', roles: ['owner'] },
    from,
  )
  const copied = await store.get(`s:${boss.session.handle}`)
  if (copied) await put(copied)
  t.equal(await sessions.read(session.handle), undefined)
})

t.test("Attack: another agent's session in my index is neither listed as mine nor revoked with mine", async t => {
  const { sessions, store, session } = await start()
  const mine = await sessions.create(
    { ...identity, email: 'me@example.com' },
    { email: 'me@example.com', roles: [] },
    from,
  )
  const { emailIndex } = await import('../../src/sessions/keys.js')
  await store.indexAdd(emailIndex('me@example.com'), session.handle, 60_000)
  await store.indexAdd(emailIndex('me@example.com'), 'no-handle', 60_000)
  t.same((await sessions.list({ email: 'me@example.com' })).items, [mine.session])
  t.equal(await sessions.end({ email: 'me@example.com' }, 'test'), 1)
  t.ok(await sessions.read(session.handle))
})

t.test('Attack: an activity time that is missing, invalid or in the future extends nothing', async t => {
  const { session, sessions, store, clock } = await start()
  const mark = `a:${session.handle}`
  for (const odd of ['', 'x', '-1', '1e99', '9'.repeat(20), '١٢٣', ' 1', `${clock.now()} `, 'null']) {
    await store.set(mark, Buffer.from(odd), 60_000)
    t.equal(await sessions.read(session.handle), undefined, JSON.stringify(odd))
  }
  await store.delete([mark])
  t.equal(await sessions.read(session.handle), undefined, 'gone')
  await store.set(mark, Buffer.from(String(clock.now() + 9e12)), 9e12)
  t.equal((await sessions.read(session.handle))?.seenAt, clock.now())
  clock.set(session.endsAt)
  t.equal(await sessions.read(session.handle), undefined, 'the absolute end holds')
})

t.test('Attack: a forged message revokes at most the session that it names, and nothing throws', async t => {
  const { session, store, revocations } = await start()
  for (const odd of [
    '',
    'null',
    '[]',
    '{}',
    '{"handle":7,"why":"x"}',
    '{"handle":"x","why":"x"}',
    '{',
    'x'.repeat(5000),
  ]) {
    await store.publish('ended', odd)
  }
  await store.publish('ended', JSON.stringify({ handle: session.handle, why: 'last' }))
  await new Promise(setImmediate)
  t.same(revocations, [[session.handle, 'last']])
})

t.test('ID and attributes of a login are kept, and an ID also beside claims that are too long', async t => {
  const { sessions, clock, store } = await start()
  const attributes = { 'X-Agent-Department': ['Sales', 'Zoë'] }
  const rich = { ...agent, id: '7', attributes }
  const { session } = await sessions.create(
    { ...identity, id: '7', name: 'A', roles: ['admin'], attributes },
    rich,
    from,
  )
  const other = createTestSessions({ store, clock, settings })
  t.match(await other.sessions.read(session.handle), {
    agent: rich,
    idpClaims: { id: '7', name: 'A', roles: ['admin'] },
  })
  const roles = Array.from({ length: 2000 }, (_, i) => `group ${i}`)
  const many = await sessions.create({ ...identity, id: '7', roles }, rich, from)
  t.same(many.session.idpClaims, { id: '7' })
  const bytes = await store.get(`s:${many.session.handle}`)
  t.ok((bytes?.length ?? Number.POSITIVE_INFINITY) < 1000)
})

t.test('a record that would be too large to be read again is not written', async t => {
  const records = createRecords({
    keyring: createKeyring([testSecret], { random: systemRandom }),
    publicUrl: () => 'https://desk.example.com',
    clock: createTestClock(),
    lifetime: settings.lifetime,
  })
  const record: SessionRecord = {
    ...whole,
    handle: 'h',
    agent: { email: 'a@example.com', roles: ['x'.repeat(70_000)] },
  }
  t.throws(() => records.pack(record), /64 kB/)
})
