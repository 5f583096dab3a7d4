// `serve` with the full example configuration, as the outside meets it: listener, paths, headers, cookies, ops, and its end.

import { createLocalJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { runDeskgate } from '../parts/command.js'
import { adminToken, type Example, publicUrl, startExample } from '../parts/example.js'
import { logIn } from '../parts/identity-provider.js'
import { missingParts } from '../parts/required-parts.js'
import { exchange, type Page, type StoredCookie, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

t.test('the full example', { skip: missingParts('openssl', 'redis') }, async t => {
  const example = await startExample()
  t.teardown(example.close)
  const { gateway, desk, idp, newAgent } = example
  const ada = newAgent()
  const secrets: string[] = []

  t.test('it says where it listens', async t => {
    const line = await gateway.line(({ msg }) => msg === 'listening')
    t.match(line, { level: 'info', url: /^https:\/\/127\.0\.0\.1:\d+$/, ops: /^http:\/\/127\.0\.0\.1:\d+$/, publicUrl })
    t.equal(gateway.lines.filter(({ msg }) => msg === 'listening').length, 1)
  })

  t.test('a login by SAML leaves the cookies of the contract', async t => {
    t.match(await ada.visit('/tickets?q=1'), { status: 302, location: '/auth/login?return_to=%2Ftickets%3Fq%3D1' })
    t.same(ada.cookies, [], 'being stopped sets no cookie')
    const page = await logIn(ada, idp, { way: 'corp', email: 'Ada@Example.com', returnTo: '/tickets?q=1' })
    t.match(page, { status: 303, location: '/tickets?q=1' })
    const [way, session, seen, ...attempts] = [...ada.cookies].sort((a, b) => order(a.name) - order(b.name))
    t.equal(way?.name, 'deskgate-way')
    t.same(partsOf(way), ['HttpOnly', 'Max-Age', 'Path=/auth', 'SameSite=Lax', 'Secure'])
    t.same(partsOf(session), ['HttpOnly', 'Path=/', 'SameSite=Lax', 'Secure'])
    t.match(session, { name: '__Host-deskgate', value: /^[A-Za-z0-9_-]{43}$/ })
    t.same(partsOf(seen), ['HttpOnly', 'Path=/auth', 'SameSite=None', 'Secure'])
    t.match(seen, { name: '__Secure-deskgate-seen', value: /./ })
    t.equal(attempts.length, 1)
    t.same(partsOf(attempts[0]), ['HttpOnly', 'Max-Age', 'Path=/', 'SameSite=None', 'Secure'])
    t.match(attempts[0], { name: /^__Host-deskgate-login\.[\w-]{22}$/, value: /./ })
    const [, left] = /Max-Age=(\d+)/.exec(attempts[0]?.line ?? '') ?? []
    t.ok(Number(left) <= 600 && Number(left) > 500, 'ten minutes from its start')
    for (const { line } of attempts) t.ok(line.length <= 500, 'at most 500 bytes')
    t.same(ada.refused, [], 'a browser takes them all')
  })

  t.test('what Desk receives', t => whatDeskReceives(t, example, ada))
  t.test('what comes back', t => whatComesBack(t, example, ada))
  t.test('the paths of the gateway', t => ownPaths(t, example, ada))
  t.test('without a session', t => withoutSession(t, example))
  t.test('from another site', t => fromElsewhere(t, example, ada))
  t.test('the ops listener', t => opsListener(t, example))

  t.test('a logout ends the session and goes to the Remote logout URL', async t => {
    const copy = ada.cookieHeader('/')
    secrets.push(...ada.cookies.filter(({ name }) => name !== 'deskgate-way').map(({ value }) => value))
    const out = await ada.send('/auth/logout')
    t.match(out, { status: 200, headers: { refresh: '0;url=https://idp.example.com/bye' } })
    t.match(out.body, /href="https:\/\/idp\.example\.com\/bye"/, 'and there is a button for who has no Refresh')
    t.same(
      ada.cookies.filter(({ name }) => /deskgate(?!-login\.|-way$)/.test(name)),
      [],
    )
    t.match(await ada.visit('/auth/logged-out'), { status: 200, body: /You are logged out/ })
    t.equal((await ada.visit('/')).status, 302)
    const replayed = await exchange(endpoint(example), '/', { headers: { host: 'desk.example.com', cookie: copy } })
    t.equal(replayed.status, 401)
  })

  t.test('SIGINT: what is under way finishes, then it ends with 0', async t => {
    const bob = newAgent()
    await logIn(bob, idp, { way: 'portal', email: 'bob@example.com' })
    let finish = () => {}
    desk.onRequest((_request, response) => {
      response.write('first, ')
      finish = () => void response.end('last')
    })
    const reached = desk.seen.length
    const underWay = bob.visit('/report')
    await until(() => desk.seen.length > reached)
    const ended = gateway.stop()
    await until(() => exchange(endpoint(example), '/', {}).then(no, yes))
    t.equal((await fetch(`${gateway.opsUrl}/ready`).catch(() => ({ status: 503 }))).status, 503, 'it is draining')
    finish()
    t.match(await underWay, { status: 200, body: 'first, last' })
    t.equal(await ended, 0)
    t.equal(gateway.stderr(), '', 'and it has nothing to complain of')
  })

  t.test('nothing secret was logged', async t => {
    const said = JSON.stringify(gateway.lines)
    t.ok(secrets.length >= 3)
    for (const secret of secrets) t.notOk(said.includes(secret))
    for (const secret of [adminToken, 'the key ring of the example']) t.notOk(said.includes(secret), secret)
    // A token has a dot behind its header; three letters alone stand in a random ID once in a hundred runs.
    t.notMatch(said, /eyJ[\w-]{8,}\.[\w-]/)
    const logins = gateway.lines.filter(({ audit, event }) => audit === true && event === 'login')
    t.match(logins, [{ agent: 'ada@example.com', provider: 'corp' }], 'and the audit log has the logins')
  })
})

async function whatDeskReceives(t: Test, example: Example, ada: UserAgent): Promise<void> {
  const { desk, newAgent, gateway } = example
  const headers = {
    'X-Agent-Email': 'root@example.com',
    x_agent_email: 'root@example.com',
    'X.Agent.Roles': 'god',
    'X-Agent-Anything': 'x',
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-host': 'evil.example',
    'x-request-id': 'mine',
    connection: 'close, X-Agent-Email',
  }
  const target = '/tickets/%7Eada/a%2Fb?x=%zz&y=/../..&y='
  ada.take('desk_session=kept; Path=/; Secure')
  t.equal((await ada.visit(target, { headers })).status, 200)
  const seen = desk.last()
  t.equal(seen.url, target, 'path and query byte for byte')
  const sent = (name: string) => seen.folded(name)
  t.same(sent('x-agent-email'), ['ada@example.com'])
  t.same(sent('x-agent-id'), ['7'])
  t.same(sent('x-agent-name'), ['Ada Palmer'])
  t.same(sent('x-agent-roles'), ['admin,agent'])
  t.same(sent('x-agent-provider'), ['corp'])
  t.same(sent('x-agent-anything'), [])
  t.same(sent('cookie'), ['desk_session=kept'], "Desk's own cookies, and none of the gateway's")
  t.same(sent('host'), ['desk.example.com'])
  t.same(sent('x-forwarded-for'), ['127.0.0.1'])
  t.same(sent('x-forwarded-proto'), ['https'])
  t.same(sent('x-forwarded-host'), ['desk.example.com'])
  t.not(sent('x-request-id')[0], 'mine')
  t.match(sent('x-request-id'), [/^.{8,}$/])

  const jwks = JSON.parse((await newAgent().fetch('/auth/jwks.json')).body)
  const assertions = sent('x-agent-assertion')
  t.equal(assertions.length, 1)
  const { payload } = await jwtVerify(assertions[0] ?? '', createLocalJWKSet(jwks), {
    algorithms: ['ES256'],
    issuer: publicUrl,
    audience: desk.url,
  })
  const person = { sub: 'ada@example.com', agent_id: '7', email: 'ada@example.com', name: 'Ada Palmer' }
  t.match(payload, { ...person, roles: ['admin', 'agent'], provider: 'corp', sid: /^[A-Za-z0-9_-]{43}$/ })
  t.notOk(ada.cookieHeader('/').includes(String(payload.sid)), 'sid is the handle, never the cookie')
  const { iat = 0, exp = 0 } = payload
  t.ok(exp - iat <= 60 && exp - Date.now() / 1000 >= 29, 'at most a minute, and at least half of it left')

  t.equal((await ada.visit('/assets/desk.css')).status, 200)
  const names = desk.last().headers.map(([name]) => name.toLowerCase())
  t.same(
    names.filter(name => name.startsWith('x-agent')),
    [],
    'none of it on a public path',
  )
  t.equal((await newAgent().visit('/assets/desk.css')).status, 200)
  t.equal((await newAgent().fetch('/assets/desk.css', { method: 'POST' })).status, 401, 'GET means GET and HEAD')
  const line = await gateway.line(({ msg, path }) => msg === 'request' && path === '/assets/desk.css')
  t.match(line, { method: 'GET', status: 200, outcome: 'public' })
}

async function whatComesBack(t: Test, { desk }: Example, ada: UserAgent): Promise<void> {
  desk.onRequest((_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html',
      'set-cookie': ['__Host-deskgate=stolen; Path=/; Secure', 'theme=dark; Path=/'],
      'keep-alive': 'timeout=9',
      location: `${desk.url}/elsewhere?a=b`,
      'x-desk': 'yes',
    })
    response.end('<p>')
  })
  const page = await ada.visit('/')
  t.same(page.setCookies, ['theme=dark; Path=/'], 'Desk cannot set a cookie of ours')
  t.match(page.headers, { location: `${publicUrl}/elsewhere?a=b`, 'x-desk': 'yes', 'cache-control': 'private' })
  t.not(page.headers['keep-alive'], 'timeout=9')
  t.equal(page.body, '<p>')
  desk.onRequest((request, response) => void request.on('end', () => response.end('hello')))
}

async function ownPaths(t: Test, { newAgent, desk }: Example, ada: UserAgent): Promise<void> {
  const nobody = newAgent()
  const reached = desk.seen.length
  const isPage = (page: Page, status: number, body: RegExp) => {
    t.match(page, { status, body, headers: { 'content-type': /^text\/html/ } })
    const { headers } = page
    t.match(headers, { 'cache-control': 'no-store', 'referrer-policy': 'same-origin' })
    t.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/)
  }
  isPage(await nobody.visit('/auth/login?return_to=/a'), 200, /Log in with Aloha Adventures.*Log in with Aloha Portal/s)
  isPage(await nobody.visit('/auth/logout'), 200, /This browser is not logged in/)
  isPage(await nobody.visit('/auth/logged-out'), 200, /You are logged out/)
  isPage(await ada.visit('/auth/logout'), 200, /You are logged in as ada@example\.com/)
  isPage(await ada.visit('/auth/session'), 200, /Where you are logged in.*This browser.*127\.0\.0\.1/s)
  t.match(await nobody.visit('/auth/login/corp?return_to=/a'), {
    status: 302,
    location: /^https:\/\/idp\.example\.com\/sso\?/,
  })
  const asked = new URL((await nobody.visit('/auth/login/portal?return_to=/a?b=c')).location)
  t.equal(asked.origin + asked.pathname, 'https://portal.example.com/login')
  t.match(asked.searchParams.get('return_to'), /^https:\/\/desk\.example\.com\/a\?b=c&deskgate_state=[\w-]{22}$/)
  t.match(asked.searchParams.get('state'), /^[\w-]{22}$/)
  t.match(await ada.visit('/auth/login?return_to=/a'), { status: 302, location: '/a' }, 'who is in goes straight on')
  for (const evil of ['//evil.example', 'https:evil', '/%5Cevil', '/auth/logout', 'https://evil.example/']) {
    const path = `/auth/login?return_to=${encodeURIComponent(evil)}`
    t.equal((await ada.visit(path)).location, '/', `return_to=${evil}`)
  }
  isPage(await nobody.visit('/auth/login/nobody'), 404, /./)

  const session = JSON.parse((await ada.fetch('/auth/session')).body)
  const times = { created: /Z$/, idleEnd: /Z$/, absoluteEnd: /Z$/ }
  t.match(session, { agent: { email: 'ada@example.com', id: '7' }, provider: 'corp', ...times })
  t.equal(Date.parse(session.absoluteEnd) - Date.parse(session.created), 24 * 3_600_000)
  t.match(await nobody.fetch('/auth/session'), { status: 401, headers: { 'www-authenticate': 'Deskgate' } })
  t.match(await ada.send('/auth/session/end', { others: '1' }), { status: 303, location: '/auth/session' })
  t.match(await ada.send('/auth/session/end', { handle: 'nonsense' }), { status: 303 })
  t.equal((await ada.visit('/')).status, 200, 'still in')

  const jwks = await nobody.fetch('/auth/jwks.json')
  t.match(JSON.parse(jwks.body).keys, [{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' }])
  t.notOk(jwks.body.includes('"d"'), 'the public part only')
  for (const path of ['/auth/saml/metadata', '/auth/saml/corp/metadata']) {
    const { status, body } = await nobody.visit(path)
    t.equal(status, 200)
    t.match(body, /entityID="mysite".*Location="https:\/\/desk\.example\.com\/auth\/saml\/acs"/s)
  }
  isPage(await nobody.visit('/auth/saml/portal/metadata'), 404, /./)
  for (const path of ['/auth/jwt', '/auth/jwt/callback', '/auth/jwt/portal', '/auth/saml/acs']) {
    t.match(await nobody.visit(path), { status: 405, headers: { allow: 'POST' } }, path)
    t.match(await nobody.postCrossSite(path, {}), { status: 400, reason: /^(jwt|saml)\.malformed$/ }, path)
  }
  const absent = ['/AUTH/login', '/auth/Login', '/auth/login/', '/auth;x/login', '/auth/%6cogin%2F', '/auth/x']
  for (const path of [...absent, '/auth/breakglass/x', '/auth/verify', '/auth/jwt/nobody/x']) {
    t.equal((await ada.visit(path)).status, 404, path)
  }
  for (const path of ['/auth', '/auth/']) {
    t.match(await ada.visit(path), { status: 303, headers: { location: '/auth/session' } }, path)
  }
  t.equal((await nobody.postCrossSite('/auth/jwt/nobody', { jwt: 'x' })).status, 404, 'no such provider')
  for (const path of ['/a/../b', '/a/%2e%2e/b', '/a/%252e%252e/b', '/a%5Cb', '//a', '/a%00', '/a%zz']) {
    t.equal((await ada.visit(path)).status, 400, path)
  }
  t.equal(desk.seen.length, reached + 1, 'of all this only the one visit reached Desk')
}

async function withoutSession(t: Test, example: Example): Promise<void> {
  const { newAgent, desk } = example
  const nobody = newAgent()
  const reached = desk.seen.length
  t.match(await nobody.visit('/a?b'), { status: 302, location: '/auth/login?return_to=%2Fa%3Fb' })
  t.match(await nobody.visit('/a', { method: 'HEAD' }), { status: 302 })
  const posted = await nobody.send('/tickets/7/replies', { text: 'half an hour of work' })
  t.match(posted, { status: 401, body: /was not sent/, headers: { 'www-authenticate': 'Deskgate' } })
  const frame = await nobody.visit('/widget', { headers: { 'sec-fetch-dest': 'iframe' } })
  t.match(frame, { status: 401, body: /target="_top"/ })
  const program = await nobody.fetch('/api/tickets')
  t.match(program, {
    status: 401,
    headers: { 'content-type': 'application/problem+json', 'www-authenticate': 'Deskgate' },
  })
  t.match(JSON.parse(program.body), { status: 401, title: /./, loginUrl: `${publicUrl}/auth/login` })
  const plain = await exchange(endpoint(example), '/', {
    headers: { host: 'desk.example.com', accept: 'application/json' },
  })
  t.equal(plain.status, 401, 'no Fetch Metadata, no HTML wanted')
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    origin: publicUrl,
  }
  t.equal((await nobody.fetch('/live', { headers: upgrade })).status, 401)
  const early = await nobody.visit('/auth/login/corp', { headers: { 'sec-purpose': 'prefetch' } })
  t.equal(early.status, 503)
  for (const cookie of ['__Host-deskgate=short', `__Host-deskgate=${'A'.repeat(43)}`, `deskgate=${'A'.repeat(43)}`]) {
    t.equal((await nobody.visit('/', { headers: { cookie } })).status, 302, 'a cookie that names no session')
  }
  t.same(nobody.cookies, [], 'no cookie was set')
  t.equal(desk.seen.length, reached, 'nothing reached Desk')
}

async function fromElsewhere(t: Test, { desk }: Example, ada: UserAgent): Promise<void> {
  const forged = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://sub.desk.example.com', 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of forged) {
    for (const path of ['/auth/logout', '/auth/session/end']) {
      t.equal((await ada.send(path, { others: '1' }, { headers })).status, 403, `${path} from ${headers.origin}`)
    }
  }
  t.equal((await ada.visit('/')).status, 200, 'she is still in')
  const twice = ada.cookieHeader('/')
  t.equal(
    (await ada.visit('/', { headers: { cookie: `${twice}; ${twice}` } })).status,
    302,
    'two session cookies are none',
  )
  t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
}

async function opsListener(t: Test, { gateway, idp, newAgent }: Example): Promise<void> {
  const ask = async (path: string, token?: string) => {
    const answer = await fetch(
      gateway.opsUrl + path,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
  }
  t.match(await ask('/live'), { status: 200 })
  t.match(JSON.parse((await ask('/ready')).body), { ready: true, state: 'serving', store: 'up' })
  const refused = await logIn(newAgent(), idp, { way: 'portal', email: 'carla@example.com' })
  t.match(refused, { status: 403, reason: 'agent.disabled', reference: /^\w{5}-\w{5}$/ })
  const path = `/api/logins/${refused.reference}`
  t.match(await ask(path), { status: 401 })
  t.match(await ask(path, `${adminToken}x`), { status: 401 })
  const dossier = await ask(path, adminToken)
  t.match(JSON.parse(dossier.body), { reference: refused.reference, provider: 'portal', reason: 'agent.disabled' })
  t.equal(JSON.parse(dossier.body).checks.at(-1).ok, false)
  t.match(await ask('/api/logins/AAAAA-AAAAA', adminToken), { status: 404, type: /problem\+json/ })
  t.match(await ask('/api/nothing', adminToken), { status: 404 })
  t.equal((await ask('/tickets', adminToken)).status, 404, 'nothing of Desk is here')

  const { body, type } = await ask('/metrics')
  t.match(type, /^text\/plain/)
  const outcomes = ['proxied', 'public', 'redirected', 'unauthorized', 'forbidden', 'bad_request', 'own']
  for (const outcome of outcomes)
    t.match(body, new RegExp(`^deskgate_requests_total\\{outcome="${outcome}"\\} [1-9]`, 'm'))
  t.match(body, /^deskgate_logins_total\{provider="corp",outcome="accepted",reason=""\} 1$/m)
  t.match(body, /^deskgate_logins_total\{provider="portal",outcome="refused",reason="agent\.disabled"\} 1$/m)
  t.match(body, /^deskgate_session_lookups_total\{source="(store|near)"\} [1-9]/m)
  t.match(body, /^deskgate_store_up 1$/m)
  t.match(body, /^deskgate_idp_certificate_expiry_seconds\{provider="corp"\} \d{5,}/m)
  t.match(body, /^deskgate_idp_clock_skew_seconds\{provider="corp"\} -?\d+(\.\d+)?$/m)
  t.match(body, /^deskgate_build_info\{version="\d+\.\d+\.\d+",node="v\d+[^"]+"\} 1$/m)
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_gc_duration_seconds',
  ])
    t.match(body, new RegExp(`^${name}(_count\\{.*\\})? \\d`, 'm'))
  for (const name of ['request_duration_seconds_bucket', 'websockets', 'revocations_total'])
    t.match(body, `deskgate_${name}`)

  const { env } = gateway
  const reference = refused.reference ?? ''
  const [told, stranger] = await Promise.all([
    runDeskgate(['explain', reference.toLowerCase(), '--config', gateway.file, '--ops', gateway.opsUrl], { env }),
    runDeskgate(['explain', reference, '--ops', gateway.opsUrl], { env: { DESKGATE_ADMIN_TOKEN: 'another' } }),
  ])
  t.match(told, {
    code: 0,
    stdout:
      /portal[\s\S]*ok +signature[\s\S]*FAIL +agent is active[\s\S]*change +agents[\s\S]*refused: agent\.disabled/,
  })
  t.match(stranger, { code: 1, stderr: /refuses the admin token/ })
}

function endpoint({ gateway, ca }: Example) {
  return { port: gateway.port, ca }
}

/** The attributes of a cookie in alphabetical order; which number of seconds is another matter. */
function partsOf(cookie: StoredCookie | undefined): string[] {
  const attributes = cookie?.line.split('; ').slice(1) ?? []
  return attributes.map(part => part.replace(/^Max-Age=\d+$/, 'Max-Age')).sort()
}

function order(name: string): number {
  return ['__Host-deskgate', '__Secure-deskgate-seen'].indexOf(name) + (name.includes('-login.') ? 9 : 0)
}

const yes = () => true
const no = () => false
