import t from 'tap'
import { Refused } from '../../../src/core/checks.js'
import { unescaped } from '../../parts/forms.js'
import { createFakeProvider, identityOf, samlMessage, startLoginServer } from '../../parts/login-server.js'
import { openRaw } from '../../parts/raw-http.js'

t.test('one login method: a page visit goes straight to the provider, with a sealed attempt', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  const response = await browser.visit('/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db')
  t.equal(response.statusCode, 302)
  const location = new URL(String(response.headers.location))
  t.equal(location.origin + location.pathname, 'https://portal.example.com/login')
  const state = location.searchParams.get('state') ?? ''
  t.equal(location.searchParams.get('return_to'), `https://desk.example.com/tickets/7?a=b&deskgate_state=${state}`)
  t.same([...browser.cookies.keys()], [`__Host-deskgate-login.${state}`])
  t.match(String(response.headers['set-cookie']), /; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=None$/)
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal(response.headers['referrer-policy'], 'same-origin')
})

t.test('several login methods: a page with "Log in with NAME" for each, in order, and no cookie', async t => {
  const portal = (await startLoginServer()).snapshot.providers[0]
  if (!portal) return t.fail()
  const gate = await startLoginServer({ providers: [createFakeProvider({ name: 'A & "B" <c>' }), portal] })
  t.teardown(gate.close)
  const response = await gate.browser().visit('/auth/login?return_to=/tickets/7')
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], /^text\/html/)
  t.match(response.body, /Log in with A &#38; &#34;B&#34; &#60;c&#62;.*Log in with Aloha Portal/s)
  t.match(response.body, 'href="/auth/login/corp?return_to&#61;%2Ftickets%2F7"'.replace('&#61;', '&#61;'))
  t.equal(response.headers['set-cookie'], undefined)
  t.match(
    response.headers['content-security-policy'],
    /form-action 'self' https:\/\/idp\.example\.com https:\/\/portal\.example\.com https:;/,
  )
})

t.test('chooser: always shows the page for one login method too', async t => {
  const gate = await startLoginServer({ settings: { login: { chooser: 'always' } } })
  t.teardown(gate.close)
  const response = await gate.browser().visit('/auth/login')
  t.equal(response.statusCode, 200)
  t.match(response.body, 'Log in with Aloha Portal')
})

t.test('without a provider the page says so', async t => {
  const gate = await startLoginServer({ providers: [] })
  t.teardown(gate.close)
  const response = await gate.browser().visit('/auth/login')
  t.equal(response.statusCode, 200)
  t.match(response.body, 'No way to log in is set up yet')
})

t.test('a provider of its own path is started, one that is not configured is 404', async t => {
  const gate = await startLoginServer({ providers: [createFakeProvider()] })
  t.teardown(gate.close)
  const browser = gate.browser()
  t.equal((await browser.visit('/auth/login/corp')).statusCode, 200)
  t.equal(browser.cookies.size, 1)
  for (const id of ['other', 'CORP', 'corp%20', '__proto__', 'constructor', 'corp/', 'x'.repeat(200)]) {
    const response = await browser.visit(`/auth/login/${id}`)
    t.ok([400, 404].includes(response.statusCode), id)
    t.equal(response.headers['set-cookie'], undefined)
  }
})

t.test('what is not listed under the prefix, in any spelling, is 400 or 404, and never reaches Desk', async t => {
  const gate = await startLoginServer({ providers: [createFakeProvider()] })
  t.teardown(gate.close)
  const port = Number(new URL(await gate.app.listen({ port: 0, host: '127.0.0.1' })).port)
  // As bytes: clients take dots and doubled slashes out of a path themselves.
  const paths = ['..', '.', '../', '%2e%2e', '.%2E/', '%252e%252e', '%2e%2e%2fx', '..;/', 'corp/..'].map(
    path => `/auth/login/${path}`,
  )
  paths.push('/auth/..', '/auth/.', '/auth//', '//auth/', '/auth;x', '/auth/;x', '/AUTH', '/Auth/', '/AUTH/login')
  paths.push('/auth/%2F', '/auth/login%2Fcorp', '/auth%2Flogin', '/auth/%00', '/auth\\login', '/auth/nothing')
  for (const path of paths) {
    const connection = openRaw(port)
    connection.send(`GET ${path} HTTP/1.1\r\nHost: desk.example.com\r\nConnection: close\r\n\r\n`)
    await connection.ended()
    const { status } = await connection.response()
    // Desk does not answer here: a request for it would be 401 or 502.
    t.ok([400, 404].includes(status), `${path}: ${status}`)
  }
})

t.test('a provider with the POST binding gets a form that sends itself, and has a button without scripts', async t => {
  const fields = {
    SAMLRequest: 'abc"><script>alert(1)</script>',
    RelayState: '"><img src=x onerror=alert(1)>',
    'a"b': 'c',
  }
  const gate = await startLoginServer({
    providers: [createFakeProvider({ begin: async () => ({ post: 'https://sso.example.net/in?x=1&y="2"', fields }) })],
  })
  t.teardown(gate.close)
  const response = await gate.browser().visit('/auth/login/corp')
  t.equal(response.statusCode, 200)
  t.match(response.body, /<form method="post" action="https:\/\/sso\.example\.net\/in\?x&#61;1&#38;y&#61;&#34;2&#34;">/)
  t.notMatch(response.body, '<script>alert')
  t.notMatch(response.body, '<img src=x')
  t.match(response.body, '<input type="hidden" name="a&#34;b" value="c">')
  t.match(response.body, /<button class="button">Continue<\/button>/)
  t.match(
    response.headers['content-security-policy'],
    /form-action 'self' https:\/\/idp\.example\.com https:\/\/sso\.example\.net https:;/,
  )
})

t.test('a provider that cannot begin: 503, a reference, and no attempt', async t => {
  const begin = async () => {
    throw new Refused('saml.metadata_unavailable')
  }
  const gate = await startLoginServer({ providers: [createFakeProvider({ begin })] })
  t.teardown(gate.close)
  const response = await gate.browser().visit('/auth/login/corp?return_to=/a')
  t.equal(response.statusCode, 503)
  t.equal(response.headers['set-cookie'], undefined)
  t.match(response.headers['retry-after'], /^\d+$/)
  t.match(response.body, 'saml.metadata_unavailable')
  t.match(gate.events, [{ event: 'login_refused', reason: 'saml.metadata_unavailable', provider: 'corp' }])
})

t.test('only a page that a person visits begins a login', async t => {
  const host = 'desk.example.com'
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  for (const path of ['/auth/login', '/auth/login/portal']) {
    const program = await browser.fetch(path)
    t.equal(program.statusCode, 401)
    t.match(program.json(), { loginUrl: 'https://desk.example.com/auth/login' })
    const frame = await browser.visit(path, {
      'sec-fetch-dest': 'iframe',
      referer: 'https://desk.example.com/tickets/7',
    })
    t.equal(frame.statusCode, 401)
    t.match(frame.body, /href="\/auth\/login\?return_to&#61;%2Ftickets%2F7" target="_top"/)
    t.match(frame.headers['content-security-policy'], /frame-ancestors 'self';/)
    for (const early of [
      { 'sec-purpose': 'prefetch' },
      { 'sec-purpose': 'prefetch;prerender' },
      { purpose: 'prefetch' },
    ]) {
      t.equal((await browser.visit(path, early)).statusCode, 503)
    }
    const image = await browser.visit(path, { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })
    t.equal(image.statusCode, 401)
    const head = await gate.app.inject({ method: 'HEAD', url: path, headers: { host, accept: 'text/html' } })
    t.equal(head.statusCode, 200)
    t.equal(head.headers['set-cookie'], undefined)
  }
  t.equal(browser.cookies.size, 0)
  const old = await gate.app.inject({ url: '/auth/login', headers: { host, accept: 'text/html,*/*' } })
  t.equal(old.statusCode, 302, 'a browser that says no more than Accept')
})

t.test(
  'who is logged in goes straight on; chooser: always shows the page and a way on; a named provider starts',
  async t => {
    for (const chooser of ['auto', 'always']) {
      const gate = await startLoginServer({ settings: { login: { chooser } } })
      t.teardown(gate.close)
      const browser = gate.browser()
      await browser.post('/auth/jwt', { jwt: await gate.token() })
      const response = await browser.visit('/auth/login?return_to=/a?b')
      t.equal(response.statusCode, chooser === 'auto' ? 302 : 200)
      if (chooser === 'auto') t.equal(response.headers.location, '/a?b')
      else t.match(response.body, /You are logged in as ada@example\.com\..*href="\/a\?b"/s)
      t.match((await browser.visit('/auth/login/portal')).headers.location, /^https:\/\/portal\.example\.com/)
    }
  },
)

t.test('a session cookie while the store is down: 503, not a login loop', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  await gate.store.close()
  const response = await browser.visit('/auth/login')
  t.equal(response.statusCode, 503)
  t.match(response.headers['retry-after'], /^\d+$/)
})

t.test(
  'a browser that finishes logins but never keeps its session cookie gets login.loop, not another redirect',
  async t => {
    const gate = await startLoginServer()
    t.teardown(gate.close)
    const browser = gate.browser()
    const round = async () => {
      const response = await browser.visit('/auth/login')
      if (response.statusCode !== 302) return response
      const state = new URL(String(response.headers.location)).searchParams.get('state') ?? ''
      t.equal((await browser.post('/auth/jwt', { jwt: await gate.token(), state })).statusCode, 303)
      browser.cookies.delete('__Host-deskgate')
      gate.clock.move(5000)
      return response
    }
    for (let i = 0; i < 5; i++) t.equal((await round()).statusCode, 302)
    const stopped = await round()
    t.equal(stopped.statusCode, 400)
    t.match(stopped.body, 'login.loop')
    t.match(gate.events.at(-1), { event: 'login_refused', reason: 'login.loop' })
    gate.clock.move(60_000)
    t.equal((await round()).statusCode, 302, 'a minute later it may try again')
  },
)

t.test('five logins and logouts within a minute are not a loop', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  for (let i = 0; i < 7; i++) {
    const response = await browser.visit('/auth/login')
    t.equal(response.statusCode, 302)
    const state = new URL(String(response.headers.location)).searchParams.get('state') ?? ''
    await browser.post('/auth/jwt', { jwt: await gate.token(), state })
    t.equal((await browser.send('/auth/logout')).statusCode, 200)
  }
})

t.test('twelve tabs with 2 kB addresses all log in, each to its own page', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  const tabs: { path: string; state: string }[] = []
  for (let tab = 0; tab < 12; tab++) {
    const path = `/tickets/${tab}`
    const response = await browser.visit(`/auth/login?return_to=${encodeURIComponent(`${path}?${'q'.repeat(2000)}`)}`)
    tabs.push({ path, state: new URL(String(response.headers.location)).searchParams.get('state') ?? '' })
    gate.clock.move(10)
  }
  browser.cookies.set('desk', 'd'.repeat(6000))
  const all = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  t.ok(all.length < 13_000, `${all.length} bytes of cookies`)
  for (const { path, state } of tabs) {
    const response = await browser.post('/auth/jwt', { jwt: await gate.token(), state })
    t.equal(response.statusCode, 303)
    t.equal(response.headers.location, path)
  }
  const { items } = await gate.sessions.list({ email: 'ada@example.com' })
  t.equal(items.length, 1, 'and make one session')
})

t.test('under another prefix the login is there, and the callbacks stay where they are', async t => {
  const gate = await startLoginServer({
    settings: { prefix: '/sso' },
    providers: [createFakeProvider({ verdict: () => ({ identity: identityOf('ada@example.com') }) })],
  })
  t.teardown(gate.close)
  const browser = gate.browser()
  t.equal((await browser.visit('/sso/login/corp')).statusCode, 200)
  const [name = ''] = [...browser.cookies.keys()]
  const state = name.replace('__Host-deskgate-login.', '')
  const response = await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState: state })
  t.equal(response.statusCode, 303)
  const lines = [response.headers['set-cookie'] ?? []].flat().filter(line => line.includes('seen'))
  t.same(
    lines.map(line => /Path=([^;]+)/.exec(line)?.[1]),
    ['/sso', '/auth'],
  )
  t.equal((await browser.visit('/auth/saml/acs/x')).statusCode, 404)
  t.equal((await browser.visit('/AUTH/jwt')).statusCode, 404)
})

t.test('a login that begins at another host than publicUrl leads there, and sets no cookie', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  for (const host of ['localhost:8080', '10.0.0.7', 'desk', 'www.desk.example.com', 'desk.example.com:8443']) {
    for (const path of ['/auth/login', '/auth/login/portal']) {
      const browser = gate.browser()
      const page = await browser.visit(`${path}?return_to=%2Ftickets%2F7%3Fa%3D1`, { host })
      t.match([page.statusCode, page.headers['set-cookie']], [421, undefined], `${host}${path}`)
      t.match(page.body, 'https://desk.example.com')
      const [, link = ''] = /href="(https:[^"]*return_to[^"]*)"/.exec(page.body) ?? []
      const there = new URL(unescaped(link))
      t.equal(there.hash, '', 'the link was read as a browser does')
      t.equal(there.origin + there.pathname, `https://desk.example.com${path}`)
      t.equal(there.searchParams.get('return_to'), '/tickets/7?a=1')
      const next = await browser.visit(`${there.pathname}${there.search}`)
      t.equal(next.statusCode, 302, 'at publicUrl the login begins')
      const behindProxy = await gate.browser().visit(`${there.pathname}${there.search}`, { host })
      t.equal(behindProxy.statusCode, 302, 'behind a proxy with a Host of its own it begins at the second try')
    }
    const program = await gate.browser().fetch('/auth/login', { host })
    t.equal(program.statusCode, 401, 'a program gets no page')
  }
  const forwarded = { host: 'deskgate:8080', 'x-forwarded-host': 'desk.example.com' }
  t.equal((await gate.browser().visit('/auth/login', forwarded)).statusCode, 302)
})
