import t, { type Test } from 'tap'
import type { Verdict } from '../../../src/core/providers.js'
import {
  agentString,
  createFakeProvider,
  identityOf,
  type LoginServer,
  refusedWith,
  samlMessage,
  startLoginServer,
  type TestBrowser,
} from '../../parts/login-server.js'

const start = async (browser: TestBrowser, path = '/auth/login'): Promise<string> => {
  const before = new Set(browser.cookies.keys())
  await browser.visit(path)
  const name = [...browser.cookies.keys()].find(key => !before.has(key) && key.includes('login.')) ?? ''
  return name.split('login.')[1] ?? ''
}

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

t.test('a good token becomes a session, its cookies, and a way to the page', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const state = await start(browser, '/auth/login?return_to=/tickets/7%3Ftab%3D1')
  const response = await browser.post('/auth/jwt/callback', { jwt: await gate.token(), state })
  t.equal(response.statusCode, 303)
  t.equal(response.headers.location, '/tickets/7?tab=1')
  const lines = [response.headers['set-cookie'] ?? []].flat()
  t.match(lines, [
    /^__Host-deskgate=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    /^__Secure-deskgate-seen=[A-Za-z0-9_-]+; Path=\/auth; HttpOnly; Secure; SameSite=None$/,
    new RegExp(`^__Host-deskgate-login\\.${state}=[^;]+; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=None$`),
  ])
  t.match(lines[3], /^deskgate-way=portal; Max-Age=31536000; Path=\/auth; HttpOnly; Secure; SameSite=Lax$/)
  t.equal(lines.length, 4)
  const { items } = await gate.sessions.list({ email: 'ada@example.com' })
  t.match(items, [
    { provider: 'portal', agent: { id: '7', name: 'Ada', roles: ['agent'] }, from: { browser: 'Firefox on Linux' } },
  ])
  t.match(gate.events, [{ event: 'login', agent: 'ada@example.com', provider: 'portal', session: items[0]?.handle }])
  t.match((await gate.metrics.text()).body, 'deskgate_logins_total{provider="portal",outcome="accepted",reason=""} 1')
})

t.test('on http the cookies have no prefix, no Secure and no SameSite=None', async t => {
  const gate = await open(t, { settings: { publicUrl: 'http://localhost:8080' } })
  const browser = gate.browser()
  await start(browser)
  const response = await browser.post('/auth/jwt', { jwt: await gate.token() })
  t.equal(response.statusCode, 303)
  for (const line of [response.headers['set-cookie'] ?? []].flat()) {
    t.notMatch(line.replace(/=[^;]*/, ''), /Secure|None|__/)
    t.match(line, /^deskgate[^;]*;( Max-Age=31536000;)? Path=\/[^;]*; HttpOnly; SameSite=Lax$/)
  }
})

t.test('the three JWT paths, the field token, and the provider of the path', async t => {
  const gate = await open(t)
  for (const path of ['/auth/jwt', '/auth/jwt/callback', '/auth/jwt/portal']) {
    t.equal((await gate.browser().post(path, { jwt: await gate.token() })).statusCode, 303, path)
  }
  t.equal((await gate.browser().post('/auth/jwt', { token: await gate.token() })).statusCode, 303)
  t.equal((await gate.browser().post('/auth/jwt', { jwt: '', token: await gate.token() })).statusCode, 303)
  const both = await gate.browser().post('/auth/jwt', { jwt: await gate.token(), token: 'x' })
  t.equal(both.statusCode, 303, 'jwt comes first')
  t.equal((await gate.browser().post('/auth/jwt/other', { jwt: await gate.token() })).statusCode, 404)
})

t.test('where the agent lands: the attempt, else the judged return_to, else the token, else /', async t => {
  const gate = await open(t)
  const land = async (fields: Record<string, string>, path?: string) => {
    const browser = gate.browser()
    const state = path === undefined ? undefined : await start(browser, path)
    const all = { ...(fields.jwt ? {} : { jwt: await gate.token() }), ...fields, ...(state ? { state } : {}) }
    return (await browser.post('/auth/jwt', all)).headers.location
  }
  t.equal(await land({ return_to: '/b' }, '/auth/login?return_to=/a'), '/a')
  t.equal(await land({ return_to: '/b?c=d' }), '/b?c=d')
  t.equal(await land({ return_to: 'https://desk.example.com/b#c' }), '/b#c')
  t.equal(await land({ jwt: await gate.token('ada@example.com', { return_to: '/from-token' }) }), '/from-token')
  t.equal(await land({}), '/')
  for (const evil of [
    '//evil.example',
    'https://evil.example/',
    '/\\evil.example',
    '/auth/logout',
    'javascript:alert(1)',
  ]) {
    t.equal(await land({ return_to: evil }), '/', evil)
    t.equal(await land({ jwt: await gate.token('ada@example.com', { return_to: evil }) }), '/', evil)
  }
})

t.test('a provider that only echoes return_to is bound by the state in it', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const begun = await browser.visit('/auth/login?return_to=/a')
  const echoed = new URL(String(begun.headers.location)).searchParams.get('return_to') ?? ''
  const response = await browser.post('/auth/jwt', { jwt: await gate.token(), return_to: echoed })
  t.equal(response.headers.location, '/a')
  const other = await gate.browser().post('/auth/jwt', { jwt: await gate.token(), return_to: echoed })
  t.equal(other.statusCode, 400)
  t.match(other.body, 'jwt.state_mismatch')
})

t.test('a login by SAML: the attempt is the RelayState, the answer a POST from another site', async t => {
  const verdict = () => ({ identity: identityOf('ada@example.com') })
  const gate = await open(t, { providers: [createFakeProvider({ verdict })] })
  const browser = gate.browser()
  const state = await start(browser, '/auth/login/corp?return_to=/a')
  const response = await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState: state })
  t.equal(response.statusCode, 303)
  t.equal(response.headers.location, '/a')
  const unsolicited = await gate
    .browser()
    .post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState: '/deep?x' })
  t.equal(unsolicited.headers.location, '/deep?x', 'RelayState says where to go')
  const evil = await gate
    .browser()
    .post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState: '//evil.example' })
  t.equal(evil.headers.location, '/')
})

t.test('SAML from an issuer that no provider has, or for another provider’s attempt, is refused', async t => {
  const verdict = () => ({ identity: identityOf('ada@example.com') })
  const second = createFakeProvider({ id: 'second', issuer: () => 'https://second.example', verdict })
  const gate = await open(t, { providers: [createFakeProvider({ verdict }), second] })
  const unknown = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage('https://evil.example') })
  t.equal(unknown.statusCode, 400)
  t.match(unknown.body, 'saml.issuer_unknown')
  const browser = gate.browser()
  const state = await start(browser, '/auth/login/second')
  const crossed = await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState: state })
  t.equal(crossed.statusCode, 400)
  t.match(crossed.body, 'saml.issuer_unknown')
})

t.test('a form that is not a callback is malformed: status, reason, reference, no cookie', async t => {
  const gate = await open(t, { providers: [...(await startLoginServer()).snapshot.providers, createFakeProvider()] })
  const token = await gate.token()
  const big = 'x'.repeat(260 * 1024)
  const filler = 'x'.repeat(282 * 1024)
  const cases: [string, Record<string, string> | string, string][] = [
    ['/auth/jwt', {}, 'jwt.malformed'],
    ['/auth/jwt', { jwt: '' }, 'jwt.malformed'],
    ['/auth/jwt', { jwt: '42' }, 'jwt.malformed'],
    ['/auth/jwt', `jwt=${token}&jwt=${token}`, 'jwt.malformed'],
    ['/auth/jwt', `jwt=${token}&state=a&state=b`, 'jwt.malformed'],
    ['/auth/jwt', `jwt=${token}&return_to=/a&return_to=/b`, 'jwt.malformed'],
    ['/auth/jwt', `j%77t=${token}&jwt=${token}`, 'jwt.malformed'],
    ['/auth/jwt', { jwt: big }, 'jwt.malformed'],
    ['/auth/jwt', { jwt: token, filler }, 'jwt.malformed'],
    ['/auth/jwt', '__proto__=1&constructor=2&jwt=__proto__', 'jwt.malformed'],
    ['/auth/jwt', `jwt=${'.'.repeat(200_000)}`, 'jwt.malformed'],
    ['/auth/saml/acs', {}, 'saml.malformed'],
    ['/auth/saml/acs', { SAMLResponse: 'not base64!' }, 'saml.malformed'],
    ['/auth/saml/acs', { SAMLResponse: Buffer.from('<html/>').toString('base64') }, 'saml.malformed'],
    ['/auth/saml/acs', `SAMLResponse=${encodeURIComponent(samlMessage())}&SAMLResponse=b`, 'saml.malformed'],
    ['/auth/saml/acs', { SAMLResponse: big }, 'saml.malformed'],
    ['/auth/saml/acs', 'a&'.repeat(100_000), 'saml.malformed'],
  ]
  for (const [path, fields, reason] of cases) {
    const response = await gate.browser().post(path, fields)
    t.equal(response.statusCode, 400, reason)
    t.match(response.body, reason)
    t.match(response.body, /<code>[0-9A-Z]{5}-[0-9A-Z]{5}<\/code>/)
    t.equal(response.headers['set-cookie'], undefined)
    t.notMatch(response.body, token.slice(0, 20))
  }
  const huge = await gate.browser().post('/auth/jwt', { jwt: 'x'.repeat(2_000_000) })
  t.equal(huge.statusCode, 400)
  t.match(huge.body, 'jwt.malformed')
  t.equal(huge.headers.connection, 'close')
})

t.test('only a plain form is read', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/plain', 'text/xml']) {
    const response = await browser.post('/auth/jwt', '{"jwt":"x"}', { 'content-type': type })
    t.equal(response.statusCode, 415, type)
  }
  t.equal((await browser.post('/auth/jwt', 'jwt=x', { 'content-encoding': 'gzip' })).statusCode, 415)
  const charset = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }
  t.equal((await browser.post('/auth/jwt', { jwt: await gate.token() }, charset)).statusCode, 303)
})

t.test('a GET of a callback path is 405 and says to start elsewhere', async t => {
  const gate = await open(t)
  for (const path of ['/auth/jwt', '/auth/jwt/callback', '/auth/jwt/portal', '/auth/saml/acs']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
      const response = await gate.app.inject({ method, url: path, headers: { accept: 'text/html' } })
      t.equal(response.statusCode, 405, `${method} ${path}`)
      t.equal(response.headers.allow, 'POST')
    }
    t.match((await gate.browser().visit(path)).body, 'by POST')
  }
})

t.test('a refused login: one report, one log line, one audit event, one metric, one page', async t => {
  const gate = await open(t)
  const response = await gate
    .browser()
    .post('/auth/jwt', { jwt: await gate.token('nobody@example.com'), return_to: '/a' })
  t.equal(response.statusCode, 403)
  t.match(response.body, 'agent.unknown')
  t.match(response.body, /href="\/auth\/login\?return_to&#61;%2Fa&#38;account&#61;other"/)
  const [, reference = ''] = /<code>([^<]+)<\/code>/.exec(response.body) ?? []
  const refused = gate.lines.filter(line => line.msg === 'login refused')
  t.match(refused, [{ reason: 'agent.unknown', reference, provider: 'portal' }])
  t.equal(refused.length, 1)
  const event = { event: 'login_refused', agent: 'nobody@example.com', reason: 'agent.unknown', reference }
  t.match(gate.events, [{ ...event, provider: 'portal', browser: 'Firefox on Linux' }])
  t.equal(gate.events.length, 1)
  t.match(
    (await gate.metrics.text()).body,
    'deskgate_logins_total{provider="portal",outcome="refused",reason="agent.unknown"} 1',
  )
  const dossier = await gate.refusedLogins.find(reference)
  t.match(dossier, { reason: 'agent.unknown', provider: 'portal' })
  const names = dossier?.checks.map(check => check.name) ?? []
  t.ok(names.indexOf('signature') >= 0 && names.indexOf('signature') < names.indexOf('not used before'), 'one ladder')
  t.match(dossier?.checks.at(-1), { name: 'agent is known', ok: false, setting: 'agents' })
  t.equal(dossier?.checks.filter(check => !check.ok).length, 1)
})

t.test('a program gets problem+json, a page gets a page', async t => {
  const gate = await open(t)
  const response = await gate.app.inject({
    method: 'POST',
    url: '/auth/jwt',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': agentString },
    payload: 'jwt=x',
  })
  t.equal(response.statusCode, 400)
  t.match(response.headers['content-type'], 'application/problem+json')
  t.match(response.json(), {
    type: 'about:blank',
    status: 400,
    title: String,
    detail: String,
    reason: 'jwt.malformed',
    reference: /^\w{5}-\w{5}$/,
  })
})

t.test('reasons of a provider have their status', async t => {
  let next: Partial<Verdict> = {}
  const gate = await open(t, { providers: [createFakeProvider({ verdict: () => next })] })
  const cases = [
    ['saml.expired', 400],
    ['saml.metadata_unavailable', 503],
    ['login.busy_unavailable', 503],
    ['agent.forbidden', 403],
    ['saml.replayed', 400],
  ] as const
  for (const [reason, status] of cases) {
    next = refusedWith(reason)
    const response = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage() })
    t.equal(response.statusCode, status, reason)
    t.match(response.body, reason)
    t.equal(response.headers['retry-after'] !== undefined, status === 503)
  }
  next = {}
  const neither = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  t.equal(neither.statusCode, 400, 'a verdict without identity and reason is a refusal')
})

t.test('an exception inside says nothing of itself', async t => {
  const accept = async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.1:6379')
  }
  const gate = await open(t, { providers: [createFakeProvider({ handleCallback: accept })] })
  const response = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  t.equal(response.statusCode, 500)
  t.notMatch(response.body, 'ECONNREFUSED')
  t.match(
    gate.lines.find(line => line.level === 'error'),
    { error: 'connect ECONNREFUSED 10.0.0.1:6379' },
  )
})

t.test('a form that arrives byte by byte is cut', async t => {
  const gate = await open(t, { bodyTimeout: 100 })
  await gate.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = gate.app.server.address() as import('node:net').AddressInfo
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'POST /auth/jwt HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\nj',
  )
  const drip = setInterval(() => socket.write('w'), 20)
  await new Promise(resolve => socket.on('close', resolve).on('error', () => {}))
  clearInterval(drip)
  t.pass()
})

t.test('the Remote logout URL is told of a failure by kind=error and a message', async t => {
  const gate = await open(t)
  const response = await gate.browser().post('/auth/jwt', { jwt: await gate.token('nobody@example.com') })
  t.equal(response.statusCode, 403)
  const [, href = ''] = /href="(https:\/\/portal[^"]+)">Back to Aloha Portal</.exec(response.body) ?? []
  const url = new URL(href.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))))
  t.equal(url.origin + url.pathname, 'https://portal.example.com/logout')
  t.equal(url.searchParams.get('kind'), 'error')
  t.match(
    url.searchParams.get('message'),
    /^You have no access to the help desk\. .* Reference [0-9A-Z]{5}-[0-9A-Z]{5}$/,
  )
})

t.test('the Remote logout URL gets the external_id that the token had', async t => {
  const gate = await open(t)
  const leave = async (external_id?: unknown) => {
    const browser = gate.browser()
    const claims = external_id === undefined ? {} : { external_id }
    const { statusCode } = await browser.post('/auth/jwt', { jwt: await gate.token('ada@example.com', claims) })
    if (statusCode !== 303) return statusCode
    const page = await browser.send('/auth/logout')
    return String(page.headers.refresh).replace('0;url=https://portal.example.com/logout?email=ada%40example.com', '')
  }
  t.equal(await leave(), '')
  t.equal(await leave('u 7&x'), '&external_id=u+7%26x')
  t.equal(await leave(42), '&external_id=42')
  t.equal(await leave(null), '')
  t.equal(await leave(''), '')
  for (const odd of [{}, ['7'], true, 1.5, 'a\nb', 'x'.repeat(257)]) t.equal(await leave(odd), 400, JSON.stringify(odd))
})

t.test('state and return_to are read from the query when the form has none', async t => {
  const gate = await open(t)
  const login = async (make: (query: string, state: string) => [string, Record<string, string>]) => {
    const browser = gate.browser()
    const begun = new URL(String((await browser.visit('/auth/login?return_to=/tickets/42')).headers.location))
    const [query, fields] = make(begun.search, begun.searchParams.get('state') ?? '')
    return browser.post(`/auth/jwt/callback${query}`, { jwt: await gate.token(), ...fields })
  }
  // As two of Zendesk's sample forms do: the whole query of the login page.
  t.equal((await login(query => [query, {}])).headers.location, '/tickets/42')
  t.equal((await login((_, state) => [`?state=${state}`, {}])).headers.location, '/tickets/42')
  t.equal((await login((query, state) => [query, { state, return_to: '' }])).headers.location, '/tickets/42')
  t.equal((await login((_, state) => ['?state=forged', { state }])).headers.location, '/tickets/42', 'the form wins')
  t.equal((await login(() => ['?return_to=/b', {}])).headers.location, '/b')
  t.equal((await login(() => ['?return_to=//evil.example', {}])).headers.location, '/')
  t.match((await login(() => ['?state=forged', {}])).body, 'jwt.state_mismatch')
  t.match((await login((_, state) => [`?state=${state}&state=x`, {}])).body, 'jwt.malformed')
  t.match((await login(() => ['?jwt=x', { jwt: '' }])).body, 'jwt.malformed', 'a token is never read from the query')
})

t.test('a form without a token is reported with the names of its fields', async t => {
  const gate = await open(t)
  const seen = async (form: Record<string, string> | string) => {
    const response = await gate.browser().post('/auth/jwt', form)
    t.match(response.body, 'jwt.malformed')
    const [, reference = ''] = /<code>([^<]+)</.exec(response.body) ?? []
    const report = await gate.refusedLogins.find(reference)
    t.match(report, { provider: 'portal', checks: [{ name: 'token field', ok: false }] })
    return report?.checks[0]?.seen
  }
  t.equal(await seen({ id_token: 'secret', state: 's' }), 'the fields id_token, state')
  t.equal(await seen(''), 'a form without fields')
  t.equal(await seen({ JWT: 'secret' }), 'the fields JWT')
  t.equal(await seen('jwt&x=1'), 'the fields jwt, x')
  t.equal(await seen({ ['n'.repeat(50)]: '' }), `the fields ${'n'.repeat(40)}…`)
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, '']))
  t.match(await seen(many), /f9, and 2 more$/)
})

t.test('a request that cannot be a login is a bad request, and no refused login', async t => {
  const gate = await open(t, { providers: [...(await startLoginServer()).snapshot.providers, createFakeProvider()] })
  const kinds: Record<string, string>[] = [
    { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'same-origin', 'sec-fetch-dest': 'image' },
    { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'embed' },
  ]
  for (const headers of kinds) {
    const jwt = await gate.browser().post('/auth/jwt', { jwt: await gate.token() }, headers)
    t.equal(jwt.statusCode, 400)
    const saml = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage() }, headers)
    t.equal(saml.statusCode, 400)
    t.notMatch(saml.body, 'saml.')
  }
  t.strictSame(gate.events, [])
})

t.test('limits.callback is the length of the field; the form may be a tenth longer', async t => {
  const gate = await open(t, { settings: { limits: { callback: '16kb' } } })
  const post = (fields: string) => gate.browser().post('/auth/jwt', fields)
  const sizeOf = async (fields: string) => {
    const [, reference = ''] = /<code>([^<]+)</.exec((await post(fields)).body) ?? []
    const { checks } = (await gate.refusedLogins.find(reference)) ?? {}
    return checks?.find(({ name }) => name === 'size')
  }
  const most = 16 * 1024
  t.equal(await sizeOf(`jwt=${'a'.repeat(most)}`), undefined)
  t.match(await sizeOf(`jwt=${'a'.repeat(most + 1)}`), { ok: false, setting: 'limits.callback' })
  t.equal(await sizeOf(`jwt=${'a'.repeat(most - 700)}${'%2B'.repeat(700)}`), undefined)
  t.match(await sizeOf(`jwt=x&filler=${'a'.repeat(most * 1.1)}`), { ok: false })
  t.equal((await post(`jwt=${'a'.repeat(4 * most)}`)).headers.connection, 'close')
})

t.test('a callback opens only the attempt that it names, once', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  for (let tab = 0; tab < 8; tab++) await start(browser)
  const state = await start(browser, '/auth/login?return_to=/a')
  const { open: unseal } = gate.keyring
  const opened: string[] = []
  gate.keyring.open = (purpose, sealed, bound) => {
    if (purpose === 'attempt') opened.push(bound)
    return unseal(purpose, sealed, bound)
  }
  const response = await browser.post('/auth/jwt', { jwt: await gate.token(), state })
  t.equal(response.headers.location, '/a')
  t.strictSame(opened, [`__Host-deskgate-login.${state}`])
})
