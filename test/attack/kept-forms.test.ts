// What must not be kept, and who must not get or send what is kept: strangers who would fill the store, other sites' forms in
// an agent's name, another agent, another browser, a form sent twice or to another address, and a store that was tampered with.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { pieceBytes } from '../../src/web/kept/kept-forms.js'
import { logIn } from '../parts/identity-provider.js'
import {
  ada,
  endedAgent,
  type Kept,
  keptCookie,
  logInAgain,
  publicUrl,
  reply,
  revoke,
  sendOn,
  startKept,
  ticketOf,
  titleOf,
} from '../parts/kept.js'
import { openRaw } from '../parts/raw-http.js'
import type { RequestOptions, UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

/** Nothing is in the store, and the browser has got no key. */
async function nothingKept(kept: Kept, agent: UserAgent) {
  return (await kept.keys('k:*')).length === 0 && !agent.cookies.some(({ name }) => name === keptCookie)
}

t.test('only a form of our own pages is kept, and only for a session that ended', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  const cases: Record<string, [path: string, asked: RequestOptions, status: number]> = {
    'a POST from another site': [
      '/tickets/7',
      { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } },
      401,
    ],
    'from a sibling host': [
      '/tickets/7',
      { headers: { origin: 'https://www.example.com', 'sec-fetch-site': 'same-site' } },
      401,
    ],
    'with our Origin, and said to be of another site': [
      '/tickets/7',
      { headers: { 'sec-fetch-site': 'cross-site' } },
      401,
    ],
    'without Origin': ['/tickets/7', { headers: { origin: '' } }, 401],
    'with Origin: null': ['/tickets/7', { headers: { origin: 'null' } }, 401],
    'to a path of the gateway': ['/auth/nothing', {}, 404],
    'to the page of kept forms': ['/auth/kept', {}, 401],
    'to a public path': ['/open/form', {}, 200],
    'by a script': ['/tickets/7', { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } }, 401],
    'in a frame': ['/tickets/7', { headers: { 'sec-fetch-dest': 'iframe' } }, 401],
    'as JSON': ['/tickets/7', { headers: { 'content-type': 'application/json' } }, 401],
    'of a type that only begins like a form': ['/tickets/7', { headers: { 'content-type': 'text/plainest' } }, 401],
    compressed: ['/tickets/7', { headers: { 'content-encoding': 'gzip' } }, 401],
    'multipart without a boundary': ['/tickets/7', { headers: { 'content-type': 'multipart/form-data' } }, 401],
    'by PUT': ['/tickets/7', { method: 'PUT' }, 401],
    'without a body': ['/tickets/7', { body: '' }, 401],
    'with a made-up session cookie': [
      '/tickets/7',
      { headers: { cookie: `__Host-deskgate=${randomBytes(32).toString('base64url')}` } },
      401,
    ],
    'with two session cookies': [
      '/tickets/7',
      { headers: { cookie: `${agent.cookieHeader('/')}; ${agent.cookieHeader('/')}` } },
      401,
    ],
    'with a bearer token': ['/tickets/7', { headers: { cookie: '', authorization: 'Bearer abc' } }, 401],
    'without a cookie': ['/tickets/7', { headers: { cookie: '' } }, 401],
  }
  for (const [name, [path, asked, status]] of Object.entries(cases)) {
    await t.test(name, async t => {
      t.equal((await agent.send(path, reply, asked)).status, status)
      t.ok(await nothingKept(kept, agent))
    })
  }
  await t.test('with a live session cookie: it goes to Desk', async t => {
    await logIn(agent, kept.idp, { way: 'corp', email: ada })
    t.equal((await agent.send('/tickets/7', reply)).body, 'hello')
    t.ok(await nothingKept(kept, agent))
  })
  await t.test('the same form from our own page is kept', async t => {
    await revoke(kept.one)
    t.match(
      (await agent.send('/tickets/7', reply, { headers: { 'content-type': 'text/plain; charset=utf-8' } })).body,
      /kept for 10/,
    )
  })
})

t.test('sizes: a body of 1 MB is kept, one byte more is not', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  const megabyte = 1024 * 1024
  const larger = await agent.send('/tickets/7', {}, { body: Buffer.alloc(megabyte + 1, 'a') })
  t.equal(larger.status, 401)
  t.match(larger.body, /larger than 1,024 kB/)
  t.ok(await nothingKept(kept, agent))
  const chunked = openRaw(kept.one.port)
  chunked.send(`${head(agent, 'Transfer-Encoding: chunked')}100001\r\n${'a'.repeat(megabyte + 1)}\r\n0\r\n\r\n`)
  t.match((await chunked.response('POST')).body.toString(), /larger than 1,024 kB/, 'with no length in its head')
  chunked.close()
  t.ok(await nothingKept(kept, agent))
  const exact = randomBytes(megabyte / 2).toString('hex')
  t.match((await agent.send('/tickets/7', {}, { body: exact })).body, /kept for 10 minutes/)
  await sendOn(agent, await logInAgain(kept, agent))
  t.equal(kept.desk.last().body.toString(), exact)
})

for (const length of [pieceBytes - 1, pieceBytes, pieceBytes + 1, 2 * pieceBytes, 1]) {
  t.test(`a body of ${length} bytes comes through, whatever the pieces are`, async t => {
    const kept = await startKept(t)
    const agent = await endedAgent(kept)
    const body = 'x'.repeat(length)
    await agent.send('/tickets/7', {}, { body })
    t.equal((await kept.keys('k:{*:*')).length, Math.ceil(length / pieceBytes))
    await sendOn(agent, await logInAgain(kept, agent))
    t.equal(kept.desk.last().body.toString(), body)
  })
}

/** The head of a form that a browser sends after the end of its session. */
function head(agent: UserAgent, framing: string): string {
  const lines = [
    'POST /tickets/7 HTTP/1.1',
    'Host: desk.example.com',
    `Cookie: ${agent.cookieHeader('/')}`,
    `Origin: ${publicUrl}`,
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Dest: document',
    'Accept: text/html',
    'Content-Type: application/x-www-form-urlencoded',
    framing,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

t.test('a client that breaks off, or says a wrong length, leaves nothing', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  const short = openRaw(kept.one.port)
  short.send(head(agent, 'Content-Length: 300000') + 'a'.repeat(200_000))
  await until(async () => (await kept.keys('k:{*')).length >= 2)
  t.equal((await kept.keys('k:all')).length, 1, 'it has a place')
  short.socket.end()
  await kept.one.line(({ outcome }) => outcome === 'cut')
  t.same(await kept.keys('k:*'), [])
  short.close()
  const long = openRaw(kept.one.port)
  long.send(`${head(agent, 'Content-Length: 5')}text=more than that`)
  await long.ended()
  await agent.visit('/tickets/7')
  await until(async () => (await kept.keys('k:*')).length === 0)
  long.close()
})

t.test('a second form of a session whose first is still arriving is not kept', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  const slow = openRaw(kept.one.port)
  slow.send(head(agent, 'Content-Length: 300000') + 'a'.repeat(100_000))
  await until(async () => (await kept.keys('k:{*')).length >= 1)
  t.match((await agent.send('/tickets/8', reply)).body, /could not be kept for you either/)
  slow.send('a'.repeat(200_000))
  t.match((await slow.response('POST')).body.toString(), /kept for 10 minutes/)
  slow.close()
})

t.test('2,000 posts of strangers leave nothing in the store', async t => {
  const kept = await startKept(t)
  const agent = kept.agent()
  // A probe may be under way.
  const keys = async () => (await kept.keys()).filter(key => !key.startsWith('p:'))
  const before = await keys()
  const body = `text=${'a'.repeat(20_000)}`
  const statuses = new Set<number>()
  for (let round = 0; round < 40; round++) {
    const posts = Array.from({ length: 50 }, () => {
      const headers = { cookie: `__Host-deskgate=${randomBytes(32).toString('base64url')}` }
      return agent.send('/tickets/7', {}, { body, headers })
    })
    for (const { status } of await Promise.all(posts)) statuses.add(status)
  }
  t.same([...statuses], [401])
  t.same(await keys(), before)
})

t.test('one agent cannot take the place of all others, and the total holds on two replicas', async t => {
  const kept = await startKept(t, { keepPost: { size: '64kb', total: '512kb' } })
  const first = await endedAgent(kept)
  const cookie = first.cookieHeader('/')
  const post = async (agent: string, at: Kept['one']) =>
    /kept for 10/.test(
      (await kept.agent().send(`/tickets/${randomBytes(4).toString('hex')}`, reply, { at, headers: { cookie: agent } }))
        .body,
    )
  const own: boolean[] = []
  for (let i = 0; i < 5; i++) own.push(await post(cookie, i % 2 ? kept.one : kept.two))
  t.same(own, [true, true, false, false, false], 'a quarter')
  t.notOk(await post((await endedAgent(kept)).cookieHeader('/'), kept.one), 'with another session neither')
  const others: string[] = []
  for (let i = 0; i < 8; i++) {
    const agent = kept.agent()
    await logIn(agent, kept.idp, { way: 'corp', email: `agent${i}@example.com` })
    others.push(agent.cookieHeader('/'))
  }
  for (let i = 0; i < 8; i++) await revoke(kept.one, `agent${i}@example.com`)
  const all = await Promise.all(others.map((other, i) => post(other, i % 2 ? kept.one : kept.two)))
  t.ok(all.filter(Boolean).length <= 6, 'never more than the total')
  for (const other of others) await post(other, kept.one)
  t.equal((await kept.keys('k:{*')).filter(key => !/:\d+$/.test(key)).length, 8)
  t.notOk(await post(others[7] ?? '', kept.two), 'full')
  const late = kept.agent()
  t.equal((await logIn(late, kept.idp, { way: 'corp', email: ada })).status, 303, 'logins go on')
  kept.clock.move(13 * 60_000)
  t.ok(await post(others[7] ?? '', kept.two), 'what a crash would leave gives way by itself')
})

t.test('a Redis that is nearly full keeps nothing, and lets agents log in', async t => {
  const kept = await startKept(t, { redis: ['--maxmemory-policy', 'noeviction'] })
  const agent = await endedAgent(kept)
  // Beside it the buffers of connections, which Redis shrinks when it likes, are a trifle.
  await kept.redis.command('SETRANGE', 'ballast', 32_000_000, 'x')
  const used = Number(/used_memory:(\d+)/.exec(String(await kept.redis.command('INFO', 'memory')))?.[1])
  await kept.redis.command('CONFIG', 'SET', 'maxmemory', Math.floor(used / 0.92))
  t.match((await agent.send('/tickets/7', reply)).body, /could not be kept for you either/)
  t.ok(await nothingKept(kept, agent))
  t.equal((await logIn(kept.agent(), kept.idp, { way: 'corp', email: ada })).status, 303)
  await kept.redis.command('CONFIG', 'SET', 'maxmemory', '1mb')
  const refused = await agent.send('/tickets/7', reply)
  t.equal(refused.status, 401, 'Redis refuses every write (OOM)')
  t.match(refused.body, /could not be kept for you either/)
})

t.test('another agent neither sees nor sends it, and throws it away', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const page = await logInAgain(kept, agent, { email: 'bob@example.com' })
  t.equal(titleOf(page), 'Nothing is kept for you')
  t.notMatch(page.body, /tickets/)
  t.ok(await nothingKept(kept, agent))
  t.equal(titleOf(await logInAgain(kept, agent)), 'Nothing is kept')
  t.equal(kept.desk.seen.length, 0)
})

t.test('another browser of the same agent has not got the key', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const other = kept.agent()
  t.equal(titleOf(await logInAgain(kept, other)), 'Nothing is kept')
  const made = {
    headers: { cookie: `${other.cookieHeader('/')}; ${keptCookie}=${randomBytes(32).toString('base64url')}` },
  }
  t.equal(titleOf(await other.visit('/auth/kept', made)), 'Nothing is kept')
  t.equal((await sendOn(agent, await logInAgain(kept, agent))).body, 'hello')
})

t.test('the ticket of one session is nothing in another, and names one form and one address', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const key = agent.cookies.find(({ name }) => name === keptCookie)?.value
  const fields = { deskgate_kept: ticketOf(await logInAgain(kept, agent)) }
  const session = agent.cookieHeader('/')

  const again = kept.agent()
  await logIn(again, kept.idp, { way: 'corp', email: ada })
  const other = { headers: { cookie: `${again.cookieHeader('/')}; ${keptCookie}=${key}` } }
  t.equal((await again.send('/tickets/7', fields, other)).status, 410, 'another session')
  const forged = { deskgate_kept: randomBytes(32).toString('base64url') }
  t.equal((await agent.send('/tickets/7', forged)).status, 410, 'a made-up ticket')
  t.equal((await agent.send('/auth/kept', forged)).status, 403)
  t.equal((await agent.send('/admin/users', fields)).status, 410, 'another address')
  t.equal((await agent.send('/tickets/7?x=1', fields)).status, 410)
  const evil = { headers: { cookie: session, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } }
  t.equal((await agent.send('/tickets/7', fields, evil)).status, 403, 'another site')
  t.equal((await agent.send('/auth/kept', fields, evil)).status, 403)
  t.equal(kept.desk.seen.length, 0)
  t.equal((await agent.send('/tickets/7', fields)).body, 'hello')
})

t.test('a form of Desk that is as long as the small form goes to Desk as it is', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  await logInAgain(kept, agent)
  const body = `text=${'a'.repeat(52)}`
  t.equal((await agent.send('/tickets/9', {}, { body })).body, 'hello')
  t.equal(kept.desk.last().body.toString(), body)
  t.notMatch(kept.desk.last().all('cookie').join(), /kept/)
  await revoke(kept.one)
  t.notMatch((await agent.send('/tickets/9', {}, { body })).body, /it is kept for|before is still kept/)
  const fresh = await endedAgent(kept)
  t.match((await fresh.send('/tickets/9', {}, { body })).body, /kept for 10 minutes/, 'and it is kept like any other')
  await sendOn(fresh, await logInAgain(kept, fresh))
  t.equal(kept.desk.last().body.toString(), body)
})

t.test('an address that the agent may not post to', async t => {
  const access = { paths: [{ match: 'POST /admin/*', roles: ['admin'] }] }
  const kept = await startKept(t, { settings: { access } })
  const agent = await endedAgent(kept)
  await agent.send('/admin/users', reply)
  const page = await logInAgain(kept, agent)
  t.equal((await sendOn(agent, page)).status, 403)
  t.equal(kept.desk.seen.length, 0)
})

t.test('after a logout', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const key = agent.cookies.find(({ name }) => name === keptCookie)?.value ?? ''
  await logInAgain(kept, agent)
  await agent.send('/auth/logout')
  t.notOk(agent.cookies.some(({ name }) => name === keptCookie))
  await until(async () => (await kept.keys('k:*')).length === 0)
  await logIn(agent, kept.idp, { way: 'corp', email: ada })
  const headers = { cookie: `${agent.cookieHeader('/')}; ${keptCookie}=${key}` }
  t.equal(titleOf(await agent.visit('/auth/kept', { headers })), 'Nothing is kept')
})

t.test('after its time', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const page = await logInAgain(kept, agent)
  kept.clock.move(10 * 60_000)
  t.equal((await agent.send('/tickets/7', { deskgate_kept: ticketOf(page) })).status, 410)
  t.equal(titleOf(await agent.visit('/auth/kept')), 'Nothing is kept')
})

t.test('whoever writes to the store can neither change, cut nor move a kept form, nor a note', async t => {
  const kept = await startKept(t)
  const { redis, keyPrefix } = kept
  const rename = (from: string, to: string) => redis.command('COPY', keyPrefix + from, keyPrefix + to, 'REPLACE')
  const keptOf = async (email: string, length: number) => {
    const before = new Set(await kept.keys('k:{*'))
    const agent = await endedAgent(kept, email)
    await agent.send('/tickets/7', {}, { body: randomBytes(length / 2).toString('hex') })
    const added = (await kept.keys('k:{*')).filter(key => !before.has(key))
    return { agent, id: /\{.*\}/.exec(added[0] ?? '')?.[0] ?? '' }
  }
  const attacks: Record<string, (id: string, other: string) => Promise<unknown>> = {
    'a piece is missing': id => redis.command('DEL', `${keyPrefix}k:${id}:1`),
    'the last piece is missing': id => redis.command('DEL', `${keyPrefix}k:${id}:2`),
    'two pieces change places': async id => {
      await rename(`k:${id}:0`, 'k:x')
      await rename(`k:${id}:1`, `k:${id}:0`)
      await rename('k:x', `k:${id}:1`)
    },
    'a byte is changed': id => redis.command('SETRANGE', `${keyPrefix}k:${id}:1`, 5, '!!!!'),
    'a piece of another form': (id, other) => rename(`k:${other}:1`, `k:${id}:1`),
  }
  const bob = await keptOf('bob@example.com', 150_000)
  for (const [name, change] of Object.entries(attacks)) {
    await t.test(name, async t => {
      const { agent, id } = await keptOf(ada, 150_000)
      const page = await logInAgain(kept, agent)
      await change(id, bob.id)
      t.equal((await sendOn(agent, page)).status, 410)
      t.equal(kept.desk.seen.length, 0)
    })
  }
  await t.test('the head of another form', async t => {
    const { agent, id } = await keptOf(ada, 150_000)
    await rename(`k:${bob.id}`, `k:${id}`)
    t.equal(titleOf(await logInAgain(kept, agent)), 'Nothing is kept')
  })
  await t.test('the note of another session, and one of a session that was logged out', async t => {
    await redis.command('DEL', ...(await kept.keys('e:*')).map(key => keyPrefix + key))
    const agent = await endedAgent(kept)
    const [note = ''] = await kept.keys('e:*')
    const other = kept.agent()
    await logIn(other, kept.idp, { way: 'corp', email: 'bob@example.com' })
    const [own = ''] = (await kept.keys('e:*')).filter(key => key !== note)
    const cookie = other.cookieHeader('/')
    await other.send('/auth/logout')
    t.notOk((await kept.keys('e:*')).includes(own), 'a logout takes it away')
    await rename(note, own)
    t.notMatch((await other.send('/tickets/7', reply, { headers: { cookie } })).body, /kept for/)
    t.match((await agent.send('/tickets/7', reply)).body, /kept for/)
  })
})

t.test('no log line holds anything of a form, its address or its key', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7?secret=token', { text: 'private words' })
  const key = agent.cookies.find(({ name }) => name === keptCookie)?.value ?? 'none'
  const page = await logInAgain(kept, agent)
  await sendOn(agent, page)
  const lines = JSON.stringify([kept.one.lines, kept.two.lines, await kept.one.audit(), await kept.two.audit()])
  t.match(lines, /form sent after the end of its session/)
  for (const word of ['private', 'secret=token', key, ticketOf(page)]) t.notOk(lines.includes(word), word)
})
