// A form that an agent sends after the end of the session: kept, and sent on after the login of the same agent, on two replicas
// with a real Redis. At most once, byte for byte, and never as somebody else.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { logIn } from '../parts/identity-provider.js'
import {
  ada,
  endedAgent,
  keptCookie,
  logInAgain,
  reply,
  revoke,
  sendOn,
  startKept,
  ticketOf,
  titleOf,
} from '../parts/kept.js'

const minute = 60_000

for (const way of ['corp', 'portal'] as const) {
  t.test(`a reply of 200 kB is kept and sent on, by ${way}`, async t => {
    const kept = await startKept(t)
    const { desk, one, two } = kept
    const agent = await endedAgent(kept)
    const body = `text=${randomBytes(100_000).toString('hex')}`
    const late = await agent.send(
      '/tickets/7?view=mine',
      {},
      { body, headers: { referer: 'https://desk.example.com/tickets/7' } },
    )
    t.equal(late.status, 401)
    t.match(late.body, /kept for 10 minutes/)
    t.match(late.body, /href="\/auth\/login\?return_to&#61;%2Fauth%2Fkept"/)
    const cookie = agent.cookies.find(({ name }) => name === keptCookie)
    t.match(cookie, { secure: true, httpOnly: true, sameSite: 'Lax', path: '/' })
    t.match(cookie?.line, /Max-Age=600/)
    t.equal(desk.seen.length, 0, 'nothing has reached Desk')
    t.equal((await kept.keys('k:*')).length, 6, 'four pieces, the head, the index')

    const page = await logInAgain(kept, agent, { way })
    t.equal(page.status, 200)
    t.match(page.body, /You wrote your reply on <time [^>]+>[^<]+UTC<\/time>, on the page \/tickets\/7\./)
    t.notMatch(page.body, /view=mine/)
    t.equal((await sendOn(agent, page, { at: two })).body, 'hello')
    t.equal(desk.seen.length, 1)
    const seen = desk.last()
    t.match(seen, { method: 'POST', url: '/tickets/7?view=mine' })
    t.ok(seen.body.equals(Buffer.from(body)), 'byte for byte')
    t.same(seen.all('content-type'), ['application/x-www-form-urlencoded'])
    t.same(seen.all('content-length'), [String(body.length)])
    t.same(seen.all('referer'), ['https://desk.example.com/tickets/7'])
    t.same(seen.all('x-agent-email'), [ada])
    t.same(seen.all('x-agent-provider'), [way])
    t.notMatch(seen.all('cookie').join(), /deskgate/)
    t.notOk(
      agent.cookies.some(({ name }) => name === keptCookie),
      'the browser has forgotten the key',
    )
    t.same(await kept.keys('k:*'), [], 'and the store the form')

    t.equal(titleOf(await agent.visit('/auth/kept', { at: one })), 'Nothing is kept')
    t.equal(desk.seen.length, 1)
  })
}

t.test('the end by idleness and by lifetime keep a form too, a logout does not', async t => {
  const kept = await startKept(t, { settings: { desk: { url: 'http://127.0.0.1:9' } } })
  const outcome = async (end: (agent: ReturnType<typeof kept.agent>) => Promise<unknown>) => {
    const agent = kept.agent()
    await logIn(agent, kept.idp, { way: 'corp', email: ada })
    const session = agent.cookieHeader('/')
    await end(agent)
    const headers = { cookie: session }
    return (
      titleOf(await agent.send('/tickets/7', reply, { headers })) +
      String(agent.cookies.some(({ name }) => name === keptCookie))
    )
  }
  t.equal(await outcome(async () => kept.clock.move(8 * 60 * minute + 1)), 'You were logged outtrue', 'idle')
  t.equal(await outcome(async () => kept.clock.move(24 * 60 * minute + 1)), 'You were logged outtrue', 'lifetime')
  t.equal(
    await outcome(async () => kept.clock.move(24 * 60 * minute + 10 * minute)),
    'You were logged outfalse',
    'too late',
  )
  t.equal(await outcome(agent => agent.send('/auth/logout')), 'You were logged outfalse', 'logout')
  t.equal(await outcome(agent => agent.send('/auth/logout', {}, { at: kept.two })), 'You were logged outfalse')
})

t.test('multipart forms: files only where they are allowed', async t => {
  const boundary = '----WebKitFormBoundaryAbCdEf0123456789'
  const part = (disposition: string, content: Buffer | string) =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ])
  const form = (...parts: Buffer[]) => Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)])
  const text = part('name="text"', randomBytes(200_000))
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  const noFile = form(text, part('name="file"; filename=""\r\nContent-Type: application/octet-stream', ''))
  const withFile = form(text, part('name="file"; filename="a.png"\r\nContent-Type: image/png', randomBytes(800_000)))

  const strict = await startKept(t)
  const first = await endedAgent(strict)
  t.match((await first.send('/tickets/7', {}, { body: withFile, headers })).body, /because a file is attached/)
  t.same(await strict.keys('k:*'), [])
  t.match((await first.send('/tickets/7', {}, { body: noFile, headers })).body, /kept for 10 minutes/)
  await sendOn(first, await logInAgain(strict, first))
  t.ok(strict.desk.last().body.equals(noFile))

  const open = await startKept(t, { keepPost: { files: true } })
  const second = await endedAgent(open)
  t.match((await second.send('/tickets/7', {}, { body: withFile, headers })).body, /kept for 10 minutes/)
  const dump = Buffer.concat(await Promise.all((await open.keys('k:{*')).map(async key => await rawValue(open, key))))
  t.ok(dump.length > 1_000_000)
  for (let at = 0; at + 24 <= withFile.length; at += 100_000)
    t.notOk(dump.includes(withFile.subarray(at, at + 24)), 'no byte of it in the store')
  for (const word of ['tickets', 'filename', 'multipart', ada]) t.notOk(dump.includes(word), word)
  await sendOn(second, await logInAgain(open, second))
  t.ok(open.desk.last().body.equals(withFile))
  t.same(open.desk.last().all('content-type'), [headers['content-type']])
})

async function rawValue(
  { redis, keyPrefix }: { redis: { command(...args: string[]): Promise<unknown> }; keyPrefix: string },
  key: string,
) {
  // DUMP would compress: GETRANGE as latin1 is lossy through a text client, so the bytes come as hex from a script.
  const hex = await redis.command(
    'EVAL',
    "return (redis.call('GET', KEYS[1]):gsub('.', function(c) return string.format('%02x', string.byte(c)) end))",
    '1',
    keyPrefix + key,
  )
  return Buffer.from(String(hex), 'hex')
}

t.test('a form is sent at most once', async t => {
  const kept = await startKept(t)
  const { desk, one, two } = kept
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const page = await logInAgain(kept, agent)
  const fields = { deskgate_kept: ticketOf(page) }
  const cookie = agent.cookieHeader('/')

  await t.test('on two replicas at once', async t => {
    const pages = await Promise.all(
      [one, two, one, two, one, two].map(at => agent.send('/tickets/7', fields, { at, headers: { cookie } })),
    )
    const statuses = pages.map(({ status }) => status).sort()
    t.equal(desk.seen.length, 1)
    t.equal(statuses.filter(status => status === 200).length, 1)
    t.ok(
      statuses.every(status => [200, 409, 410].includes(status)),
      String(statuses),
    )
  })
  await t.test('and not again afterwards', async t => {
    t.equal((await agent.send('/tickets/7', fields, { headers: { cookie } })).status, 410)
    t.equal(titleOf(await agent.send('/auth/kept', fields, { headers: { cookie } })), 'Nothing is kept')
    t.equal(desk.seen.length, 1)
  })
  await t.test('when Desk breaks off, the page says that it may have been sent', async t => {
    const other = await endedAgent(kept)
    await other.send('/tickets/8', reply)
    const page = await logInAgain(kept, other)
    desk.onRequest((request, response) => void request.on('end', () => response.destroy()))
    const lost = await sendOn(other, page)
    t.equal(lost.status, 502)
    t.equal(titleOf(lost), 'Your reply may have been sent')
    t.equal(desk.seen.filter(({ url }) => url === '/tickets/8').length, 1)
    t.equal(titleOf(await other.visit('/auth/kept')), 'Nothing is kept')
  })
})

t.test('a form that has not reached Desk can be sent again', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const page = await logInAgain(kept, agent)
  const { url } = kept.desk
  await kept.one.reload({ ...kept.settings, desk: { ...kept.settings.desk, url: 'http://127.0.0.1:9' } })
  const failed = await sendOn(agent, page)
  t.equal(failed.status, 502)
  t.match(failed.body, /href="\/auth\/kept"/)
  t.equal(kept.desk.seen.length, 0)
  await kept.one.reload({ ...kept.settings, desk: { ...kept.settings.desk, url } })
  t.equal((await sendOn(agent, await agent.visit('/auth/kept'))).body, 'hello')
  t.equal(kept.desk.seen.length, 1)
})

t.test('throwing it away', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  t.match((await logInAgain(kept, agent)).body, /action="\/auth\/kept\/discard"/)
  const cross = { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } }
  t.equal((await agent.send('/auth/kept/discard', {}, cross)).status, 403, 'not by another site')
  t.equal((await kept.keys('k:*')).length, 3)
  t.equal(titleOf(await agent.send('/auth/kept/discard')), 'Thrown away')
  t.same(await kept.keys('k:*'), [])
  t.notOk(agent.cookies.some(({ name }) => name === keptCookie))
  t.equal(titleOf(await agent.visit('/auth/kept')), 'Nothing is kept')
})

t.test('the last version of a form counts, and one to another address is not lost for it', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', { text: 'first' })
  t.match((await agent.send('/tickets/7', { text: 'second' })).body, /kept for 10 minutes/)
  const other = await agent.send('/tickets/8', { text: 'another ticket' })
  t.match(other.body, /something else that you entered is still kept/)
  t.match(other.body, /return_to&#61;%2Fauth%2Fkept/)
  t.equal((await kept.keys('k:*')).length, 3)
  await revoke(kept.one)
  await sendOn(agent, await logInAgain(kept, agent))
  t.equal(kept.desk.last().body.toString(), 'text=second')
})

t.test('a session that ends before the small form arrives keeps the form', async t => {
  const kept = await startKept(t)
  const agent = await endedAgent(kept)
  await agent.send('/tickets/7', reply)
  const page = await logInAgain(kept, agent)
  await revoke(kept.one)
  const fields = { deskgate_kept: ticketOf(page) }
  const late = await agent.send('/tickets/7', fields)
  t.equal(late.status, 401)
  t.match(late.body, /is still kept/)
  t.equal((await sendOn(agent, await logInAgain(kept, agent))).body, 'hello')
  t.equal(kept.desk.last().body.toString(), 'text=a+long+reply')
  t.equal(kept.desk.seen.length, 1)
})

t.test('null turns it off', async t => {
  const kept = await startKept(t, { keepPost: null })
  const agent = await endedAgent(kept)
  t.notMatch((await agent.send('/tickets/7', reply)).body, /kept/)
  t.same(await kept.keys('k:*'), [])
  t.same(await kept.keys('e:*'), [])
  t.equal((await agent.visit('/auth/kept')).status, 404)
})
