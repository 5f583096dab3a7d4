import t, { type Test } from 'tap'
import type { AgentRecord, Directory } from '../../../src/core/directory.js'
import { DirectoryUnavailable, StoreUnavailable } from '../../../src/core/errors.js'
import { type LoginServer, startLoginServer, type TestBrowser } from '../../parts/login-server.js'

const lead = 'lead@example.com'
const zoe = 'zoe@example.com'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}) => {
  const people: Record<string, AgentRecord | 'disabled'> = {
    [lead]: { email: lead, roles: ['lead'] },
    'second@example.com': { email: 'second@example.com', roles: ['agent', 'lead'] },
    [zoe]: { email: zoe, name: 'Zoe <b>', roles: ['agent'] },
    'nobody@example.com': { email: 'nobody@example.com' },
  }
  const settings = { admin: { roles: ['lead'] }, ...options.settings }
  const gate = await startLoginServer({ people, ...options, settings })
  t.teardown(gate.close)
  return { gate, people }
}

const enter = async (gate: LoginServer, email = lead, claims = {}) => {
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token(email, claims) })
  return browser
}

/** Follows the redirect that each page has before it. */
const look = async (browser: TestBrowser, path = '') => {
  const first = await browser.visit(`/auth/admin${path}`)
  return first.statusCode === 303 ? browser.visit(String(first.headers.location)) : first
}

/** Presses a button: the form with these fields. */
const press = async (browser: TestBrowser, body: string, change: string, of: string) => {
  const forms = body.match(/<form method="post".*?<\/form>/gs) ?? []
  const form = forms.find(one => one.includes(`value="${change}"`) && one.includes(`value="${of}"`)) ?? ''
  const fields = [...form.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value])
  return browser.send('/auth/admin', Object.fromEntries(fields))
}

const handleOf = async (gate: LoginServer, email: string) =>
  (await gate.sessions.list({ email })).items[0]?.handle ?? ''

t.test('off: every path of it is 404, also for the agent who would have the role', async t => {
  const { gate } = await open(t, { settings: { admin: { roles: [] } } })
  const browser = await enter(gate)
  for (const path of ['', '/refused', '/state', '/links']) {
    t.equal((await browser.visit(`/auth/admin${path}`)).statusCode, 404)
  }
  t.equal((await browser.send('/auth/admin', {})).statusCode, 404)
})

t.test('each page comes after a redirect of its own, with the headers that keep other windows away', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  await enter(gate, zoe)
  for (const path of ['', '/refused', '/state', '/links', '?q=zoe']) {
    const first = await browser.visit(`/auth/admin${path}`)
    t.equal(first.statusCode, 303)
    t.equal(first.headers['cross-origin-opener-policy'], 'unsafe-none')
    t.equal(first.body, '')
    const page = await browser.visit(String(first.headers.location))
    t.equal(page.statusCode, 200)
    t.equal(page.headers['cross-origin-opener-policy'], 'same-origin')
    t.match(page.headers['content-security-policy'], "frame-ancestors 'none'")
    t.match(page.headers['content-security-policy'], "form-action 'self';")
    t.equal(page.headers['x-frame-options'], 'DENY')
    t.equal(page.headers['referrer-policy'], 'origin')
    t.equal(page.headers['cache-control'], 'no-store')
    t.equal((await browser.visit(String(first.headers.location))).statusCode, 303, 'once')
  }
  const first = await browser.visit('/auth/admin')
  gate.clock.move(60_000)
  t.equal((await browser.visit(String(first.headers.location))).statusCode, 303, 'not a minute later')
  const other = await enter(gate, 'second@example.com')
  const own = await browser.visit('/auth/admin')
  t.equal((await other.visit(String(own.headers.location))).statusCode, 303, 'not in another session')
  const location = String((await browser.visit('/auth/admin/links')).headers.location)
  t.equal((await browser.visit(location.replace('/links', '/state'))).statusCode, 303, 'not for another page')
})

t.test('Attack: what is no navigation of a window of its own gets nothing', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  await enter(gate, zoe)
  const headers: Record<string, string>[] = [
    { 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-mode': '' },
    { 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-dest': 'serviceworker' },
    { 'sec-fetch-dest': '' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': '' },
    { 'sec-purpose': 'prefetch;prerender' },
    { 'service-worker-navigation-preload': 'true' },
    { 'service-worker-navigation-preload': '' },
  ]
  for (const more of headers) {
    const answer = await browser.visit('/auth/admin', more)
    t.equal(answer.statusCode, 403, JSON.stringify(more))
    t.notMatch(answer.body, zoe)
  }
  for (const path of ['/auth/%61dmin', '/%61uth/admin', '/auth/admin%2F', '/auth//admin', '/AUTH/admin']) {
    t.equal((await browser.visit(path)).statusCode, 404, path)
  }
  const { app } = gate
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const bare = await app.inject({ url: '/auth/admin', headers: { host: 'desk.example.com', cookie } })
  t.equal(bare.statusCode, 403, 'a client that sends no Fetch Metadata')
})

t.test('nobody is sent to the login, and a bearer token is nobody', async t => {
  const { gate } = await open(t)
  const nobody = await gate.browser().visit('/auth/admin')
  t.equal(nobody.statusCode, 302)
  t.match(nobody.headers.location, '/auth/login')
  const authorization = `Bearer ${await gate.token(lead)}`
  t.equal((await gate.browser().visit('/auth/admin', { authorization })).statusCode, 302)
})

t.test('an agent without the role gets none of it, and the audit log says so', async t => {
  const { gate } = await open(t)
  for (const email of [zoe, 'nobody@example.com']) {
    // The provider states the role: it does not count.
    const browser = await enter(gate, email, { roles: ['lead'] })
    const page = await browser.visit('/auth/admin')
    t.equal(page.statusCode, 403)
    t.notMatch(page.body, lead)
    t.match(gate.events.at(-1), { event: 'session_desk_refused', agent: email, provider: 'portal' })
  }
})

t.test('neither a one-time link nor Desk’s own login opens it', async t => {
  const { gate } = await open(t)
  const { token } = await gate.breakglass.issue({ agent: lead, minutes: 30, reason: 'x', operator: 'me' })
  const browser = gate.browser()
  t.equal((await browser.send(`/auth/breakglass/${token}`)).statusCode, 303)
  t.equal((await browser.visit('/auth/session')).statusCode, 200)
  t.equal((await browser.visit('/auth/admin')).statusCode, 403)
  for (const provider of ['desk', 'gone']) {
    const identity = { provider, email: lead, replayKey: { id: 'x', until: 0 } }
    const agent = { email: lead, roles: ['lead'] }
    const { cookie } = await gate.sessions.create(identity, agent, { address: '', browser: '' })
    const one = gate.browser()
    one.cookies.set('__Host-deskgate', cookie)
    t.ok([302, 403].includes((await one.visit('/auth/admin')).statusCode), provider)
  }
})

t.test('an agent who loses the role while it is open is out at the next request, of any kind', async t => {
  const { gate, people } = await open(t)
  const browser = await enter(gate)
  await enter(gate, zoe)
  const { body } = await look(browser)
  t.match(body, zoe)
  const door = String((await browser.visit('/auth/admin')).headers.location)
  people[lead] = { email: lead, roles: ['agent'] }
  t.equal((await browser.visit(door)).statusCode, 403)
  t.equal((await press(browser, body, 'session', await handleOf(gate, zoe))).statusCode, 403)
  t.equal((await gate.sessions.list({ email: zoe })).items.length, 1)
  people[lead] = 'disabled'
  t.equal((await browser.visit('/auth/admin')).statusCode, 403)
})

t.test('a directory or a store that does not answer lets nobody in', async t => {
  let down = false
  const directory: Directory = {
    find: async email => {
      if (down) throw new DirectoryUnavailable('down')
      return { email, roles: ['lead'] }
    },
  }
  let broken = false
  const { gate } = await open(t, {
    directory,
    store: store => ({
      ...store,
      get: key => (broken ? Promise.reject(new StoreUnavailable('down')) : store.get(key)),
    }),
  })
  const browser = await enter(gate)
  t.equal((await look(browser)).statusCode, 200)
  down = true
  const page = await browser.visit('/auth/admin')
  t.equal(page.statusCode, 503)
  t.match(page.body, 'cannot be checked')
  down = false
  broken = true
  t.equal((await browser.visit('/auth/admin')).statusCode, 503)
})

t.test('live sessions: all, by address, by how it begins, in pages', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  await enter(gate, zoe)
  for (let i = 0; i < 150; i++) {
    const email = `agent-${i}@example.com`
    const identity = { provider: 'portal', email, replayKey: { id: `${i}`, until: 0 } }
    await gate.sessions.create(identity, { email, roles: [] }, { address: '192.0.2.7', browser: '<b>' })
  }
  const rows = (body: string) => body.match(/<li><div id="row-\d+"><b>/g)?.length
  const first = await look(browser)
  t.equal(rows(first.body), 100)
  t.match(first.body, 'Zoe &#60;b&#62;')
  t.notMatch(first.body, '<b><b>')
  const [, next = ''] = /href="\/auth\/admin(\?cursor&#61;[^"]+)"/.exec(first.body) ?? []
  const second = await look(browser, next.replace('&#61;', '='))
  t.equal(rows(second.body), 52)
  t.equal(rows((await look(browser, '?q=ZOE@example.com')).body), 1)
  t.equal(rows((await look(browser, '?q=zo')).body), 1)
  t.match((await look(browser, '?q=nobody-at-all')).body, 'No live session was found')
  for (const bad of [
    '?cursor=../x',
    '?cursor=9.9.%00',
    '?q=%ff%00',
    `?q=${'a'.repeat(9000)}`,
    '?q=a&q=b',
    '?done=<b>',
  ]) {
    const page = await look(browser, bad)
    t.equal(page.statusCode, 200, bad.slice(0, 20))
  }
  t.match((await look(browser, '?q="><script>alert(1)</script>')).body, 'value="&#34;&#62;&#60;script&#62;')
})

t.test('one session is ended, then all of an agent; the audit log says who did it', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  for (let i = 0; i < 3; i++) await enter(gate, zoe)
  const handle = await handleOf(gate, zoe)
  const { body } = await look(browser)
  const done = await press(browser, body, 'session', handle)
  t.equal(done.statusCode, 303)
  t.match(
    (await browser.visit(String((await browser.visit(String(done.headers.location))).headers.location))).body,
    'Sessions ended: 1<',
  )
  const change = { event: 'session_desk_change', operator: lead, address: '127.0.0.1' }
  t.match(gate.events.at(-1), { ...change, why: 'session: ended', session: handle, count: 1 })
  t.match(gate.events.at(-2), {
    event: 'session_ended',
    agent: zoe,
    by: 'ops',
    why: `ended in the session desk by ${lead}`,
  })
  const own = await look(browser, `?q=${zoe}`)
  await press(browser, own.body, 'agent', zoe)
  t.match(gate.events.at(-1), { ...change, why: 'agent: ended', agent: zoe, count: 2 })
  t.equal((await gate.sessions.list({ email: zoe })).items.length, 0)
})

t.test('two operators end the same session: both get a clear page', async t => {
  const { gate } = await open(t)
  const [one, two] = [await enter(gate), await enter(gate, 'second@example.com')]
  await enter(gate, zoe)
  const handle = await handleOf(gate, zoe)
  const pages = [await look(one), await look(two)]
  const answers = [
    await press(one, pages[0]?.body ?? '', 'session', handle),
    await press(two, pages[1]?.body ?? '', 'session', handle),
  ]
  t.match(answers[0]?.headers.location, 'done=ended&count=1')
  t.match(answers[1]?.headers.location, 'done=gone&count=0')
  const after = await look(two, '?done=gone&count=0')
  t.match(after.body, 'somebody else ended it first')
  t.match(gate.events.at(-1), { operator: 'second@example.com', why: 'session: gone', count: 0 })
})

t.test('Attack: a token opens one change of one session of an operator, for a quarter of an hour', async t => {
  const { gate } = await open(t)
  const [browser, other] = [await enter(gate), await enter(gate, 'second@example.com')]
  await enter(gate, zoe)
  const handle = await handleOf(gate, zoe)
  const { body } = await look(browser)
  const token = new RegExp(`value="${handle}"><input type="hidden" name="token" value="([^"]+)"`).exec(body)?.[1] ?? ''
  t.not(token, '')
  const tries: [TestBrowser, Record<string, string>][] = [
    [browser, { change: 'session', of: handle }],
    [browser, { change: 'session', of: handle, token: 'AAAA' }],
    [browser, { change: 'agent', of: zoe, token }],
    [browser, { change: 'session', of: await handleOf(gate, lead), token }],
    [browser, { change: 'link', of: handle, token }],
    [other, { change: 'session', of: handle, token }],
  ]
  for (const [who, fields] of tries) t.equal((await who.send('/auth/admin', fields)).statusCode, 403)
  const fields = { change: 'session', of: handle, token }
  for (const headers of [
    { origin: 'https://evil.example.com' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-mode': 'cors' },
    { 'sec-fetch-dest': 'iframe' },
  ])
    t.equal((await browser.send('/auth/admin', fields, headers)).statusCode, 403, JSON.stringify(headers))
  gate.clock.move(15 * 60_000)
  t.equal((await browser.send('/auth/admin', fields)).statusCode, 403)
  t.equal((await gate.sessions.list({ email: zoe })).items.length, 1)
})

t.test('a store that does not take the end is said, and recorded', async t => {
  let down = false
  const { gate } = await open(t, {
    store: store => ({
      ...store,
      delete: keys => (down ? Promise.reject(new StoreUnavailable('read-only')) : store.delete(keys)),
    }),
  })
  const browser = await enter(gate)
  await enter(gate, zoe)
  const { body } = await look(browser)
  down = true
  const answer = await press(browser, body, 'session', await handleOf(gate, zoe))
  t.match(answer.headers.location, 'done=queued')
  t.match(gate.events.at(-1), { event: 'session_desk_change', why: 'session: queued', operator: lead })
  down = false
})

t.test('refused logins: the list, those of an agent, and one with its checks', async t => {
  const { gate, people } = await open(t)
  const browser = await enter(gate)
  people['off@example.com'] = 'disabled'
  await gate.browser().post('/auth/jwt', { jwt: await gate.token('off@example.com') })
  await gate.browser().post('/auth/jwt', { jwt: 'no token' })
  const list = await look(browser, '/refused')
  t.match(list.body, 'Found: 2')
  t.match(list.body, 'agent.disabled')
  const [, reference = ''] =
    /ref&#61;([2-9A-Z-]{11})/.exec((await look(browser, '/refused?q=off@example.com')).body) ?? []
  t.match((await look(browser, '/refused?q=off@example.com')).body, 'Found: 1')
  for (const path of [`/refused?ref=${reference}`, `/refused?q=${reference.toLowerCase()}`]) {
    const { statusCode, body } = await look(browser, path)
    t.equal(statusCode, 200)
    t.match(body, 'agent is active</bdi> <em class="bad">failed</em>')
    t.match(body, 'Setting: agents')
    t.match(body, 'off@example.com')
  }
  const unknown = await look(browser, '/refused?q=AAAAA-BBBBB<b>')
  t.equal(unknown.statusCode, 404)
  t.match(unknown.body, 'There is no report AAAAA-BBBBB&#60;b&#62;')
  t.match((await look(browser, '/refused?page=-1')).body, 'Found: 2')
  t.match((await look(browser, '/refused?page=99')).body, 'No refused login was found')
})

t.test('providers, directory and store, as far as this process knows', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  await gate.browser().post('/auth/jwt', { jwt: await gate.token('eve@example.com') })
  gate.metrics.idpCertificateExpiry('portal', 40 * 86_400)
  const { body } = await look(browser, '/state')
  t.match(body, 'Only what this process has seen')
  t.match(body, /Last login: <time datetime="2026-11-22T00:00:00.000Z">Nov 22, 2026/)
  t.match(body, /Last refused login: <time/)
  t.match(body, /Certificate valid until <time datetime="2027-01-01T/)
  t.match(body, 'Its clock agrees with ours')
  t.match(body, 'The store answers.')
})

t.test('one-time links that wait for their use are listed and revoked', async t => {
  const { gate } = await open(t)
  const browser = await enter(gate)
  const issue = (reason: string) => gate.breakglass.issue({ agent: zoe, minutes: 30, reason, operator: 'ops' })
  const [used, kept, late] = [await issue('used'), await issue('kept <b>'), await issue('late')]
  await gate.browser().send(`/auth/breakglass/${used.token}`)
  const { body } = await look(browser, '/links')
  t.notMatch(body, 'Reason: used')
  t.match(body, 'Reason: kept &#60;b&#62;. Made by: ops')
  t.notMatch(body, kept.token)
  const answer = await press(browser, body, 'link', kept.link.id)
  t.match(answer.headers.location, '/auth/admin/links?done=revoked')
  t.match(gate.events.at(-1), { event: 'session_desk_change', why: 'link: revoked', link: kept.link.id, agent: zoe })
  t.equal((await gate.browser().send(`/auth/breakglass/${kept.token}`)).statusCode, 400)
  t.match((await press(browser, body, 'link', kept.link.id)).headers.location, 'done=gone')
  gate.clock.move(15 * 60_000)
  t.equal(await gate.breakglass.find(late.token).then(link => link?.id), late.link.id)
  t.notMatch((await look(browser, '/links')).body, 'Reason: late')
})

t.test('Desk has no service workers while it is on, and keeps them while it is off', async t => {
  const { gate } = await open(t)
  const headers = { host: 'desk.example.com', 'service-worker': 'script', 'sec-fetch-dest': 'serviceworker' }
  for (const url of ['/worker.js', '/app/worker.js', '/auth/session.js']) {
    const answer = await gate.app.inject({ url, headers })
    t.equal(answer.statusCode, 200)
    t.match(answer.body, 'registration.unregister()')
    t.equal(answer.headers['service-worker-allowed'], '/')
  }
  const off = await open(t, { settings: { admin: { roles: [] } } })
  t.equal((await off.gate.app.inject({ url: '/worker.js', headers })).statusCode, 401)
})
