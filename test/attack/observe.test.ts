// mode: observe. What passes, what does not, and that the report lists exactly what enforcing then stops: every request is
// sent twice, observed and enforced, and the two are compared.

import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn, portalSecret } from '../parts/identity-provider.js'
import { openRaw, type RawConnection, rawRequest, sendRaw } from '../parts/raw-http.js'
import { forged, hmac } from '../parts/tokens.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const agents = ['ada', 'bob', 'eve'].map((name, index) => ({
  email: `${name}@example.com`,
  id: `${index}`,
  roles: [name],
}))

interface Place {
  desk: Desk
  gateway: InProcessGateway
  /** With or without changes to the settings. */
  reload(changes: Record<string, unknown>): Promise<void>
  newAgent(): UserAgent
  idp: ReturnType<typeof createIdentityProvider>
  clock: ReturnType<typeof createTestClock>
  report(): Promise<Report>
}

interface Report {
  mode: string
  requests: number
  groups: { method: string; path: string; client: string; why: string; detail?: string; agents: string[] }[]
}

async function start(t: Test, changes: Record<string, unknown> = {}): Promise<Place> {
  const clock = createTestClock()
  const idp = createIdentityProvider({ publicUrl, clock })
  const desk = await startDesk()
  const settings = {
    publicUrl,
    mode: 'observe',
    observe: { enforce: ['/admin/*'] },
    desk: { url: desk.url, public: ['GET /open/*'] },
    providers: [idp.settings.corp, { ...idp.settings.portal, bearer: true, bearerAudience: 'api' }],
    agents: [{ file: 'agents.yaml' }],
    access: {
      paths: [
        { match: '/boss/*', roles: ['ada'] },
        { match: '/fresh/*', maxAge: '1s' },
      ],
    },
    ops: { adminToken },
    ...changes,
  }
  const files = { 'agents.yaml': JSON.stringify(agents), 'idp.crt': idp.certificate }
  const gateway = await startInProcessGateway(settings, { clock, files })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const headers = { authorization: `Bearer ${adminToken}` }
  return {
    ...{ desk, gateway, idp, clock },
    newAgent: () => createUserAgent(publicUrl, { port: gateway.port }),
    async reload(more) {
      t.match(await gateway.reload({ ...settings, ...more }), { applied: true })
    },
    report: async () => (await fetch(`${gateway.opsUrl}/api/observed`, { headers })).json() as Promise<Report>,
  }
}

const cookieOf = (agent: UserAgent) => {
  const held = agent.cookies.find(({ name }) => name === '__Host-deskgate')
  return `Cookie: ${held?.name}=${held?.value}`
}

t.test('no spelling takes a path out of observe.enforce, and what cannot be read stays 400', async t => {
  const { gateway, desk } = await start(t)
  const ask = async (target: string, method = 'GET') => {
    const before = desk.seen.length
    const { status } = await sendRaw(gateway.port, rawRequest(`${method} ${target} HTTP/1.1`))
    return { status, reached: desk.seen.length - before }
  }
  const enforced = [
    '/admin',
    '/admin/',
    '/admin/users',
    '/ADMIN/users',
    '/Admin',
    '/%61dmin/users',
    '/%2561dmin/users',
    '/%25%36%31dmin',
    '/admin%2Fusers',
    '/admin%252Fusers',
    '/admin;x/users',
    '/admin%3Bx/users',
    '/admin;/users',
    '/admin//users',
    '/admin%3f/users',
    '/admin%23/users',
    '/admin./users',
    '/admin%20/users',
    '/admin%2e/users',
    '/%252525252561dmin',
    `${publicUrl}/admin/users`,
  ]
  for (const target of enforced) t.same(await ask(target), { status: 401, reached: 0 }, target)
  for (const method of ['POST', 'HEAD', 'OPTIONS', 'PROPFIND'])
    t.same(await ask('/admin/x', method), { status: 401, reached: 0 }, method)
  for (const target of [
    '/../admin',
    '/x/..%2fadmin',
    '/%2e%2e/admin',
    '//admin',
    '/a\\admin',
    '/x%00',
    '/public/..;/admin',
    '*',
  ])
    t.same(await ask(target), { status: 400, reached: 0 }, target)
  for (const target of ['/auth/nothing', '/AUTH/login', '/auth%2flogin', '/auth;x/login'])
    t.match(await ask(target), { status: 404, reached: 0 }, target)
  t.same(await ask('/x', 'TRACE'), { status: 405, reached: 0 })
  for (const target of ['/', '/tickets', '/administration', '/x/admin', '/adm', '/open/admin'])
    t.same(await ask(target), { status: 200, reached: 1 }, target)
})

t.test(
  'what passes without a session has no identity, and none of the headers and cookies that Desk must not see',
  async t => {
    const { gateway, desk } = await start(t)
    const forgery = ['X-Agent-Email: eve@example.com', 'x_agent_email: eve@example.com', 'X-Agent-Assertion: e.y.J']
    const cookie = 'Cookie: a=1; __Host-deskgate=abc; deskgate-lang=de'
    await sendRaw(gateway.port, rawRequest('GET /tickets HTTP/1.1', [...forgery, cookie]))
    t.same(
      desk.last().headers.filter(([name]) => /agent/i.test(name)),
      [],
    )
    t.same(desk.last().all('cookie'), ['a=1'])
    const twice = `Cookie: __Host-deskgate=${'a'.repeat(43)}; __Host-deskgate=${'b'.repeat(43)}`
    t.match(await sendRaw(gateway.port, rawRequest('GET /tickets HTTP/1.1', [twice])), { status: 200 })
    t.same(desk.last().folded('x-agent-email'), [])
  },
)

interface Sent {
  line: string
  headers: string[]
}

const upgrade = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${'A'.repeat(22)}==`,
]
const page = ['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document', 'Accept: text/html']
const stream = ['Accept: text/event-stream']

/** Requests on paths of their own, so that the report names each. */
async function everything({ newAgent, idp, gateway, clock }: Place): Promise<Record<string, Sent>> {
  const [ada, bob, eve] = [newAgent(), newAgent(), newAgent()]
  await logIn(ada, idp, { way: 'corp', email: 'ada@example.com' })
  await logIn(bob, idp, { way: 'portal', email: 'bob@example.com' })
  const order = { agent: 'eve@example.com', reason: 'test' }
  const answer = await fetch(`${gateway.opsUrl}/api/breakglass`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  const { url } = (await answer.json()) as { url: string }
  await eve.send(new URL(url).pathname)
  const [a, b, e] = [ada, bob, eve].map(cookieOf) as [string, string, string]
  const iat = clock.now() / 1000
  const token = (changes: object) =>
    `Authorization: Bearer ${forged({ alg: 'HS256' }, { email: 'bob@example.com', iat, exp: iat + 600, aud: 'api', ...changes }, hmac(portalSecret))}`
  const get = (path: string, ...headers: string[]) => ({ line: `GET ${path} HTTP/1.1`, headers })
  return {
    '/open/page': get('/open/page', ...page),
    '/saml': get('/saml', a, ...page),
    '/jwt': get('/jwt', b, ...page),
    '/link': get('/link', e, ...page),
    '/bearer': get('/bearer', token({})),
    '/nobody': get('/nobody', ...page),
    '/script': get('/script'),
    '/frame': get('/frame', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: iframe'),
    '/form': { line: 'POST /form HTTP/1.1', headers: ['Content-Length: 0', ...page] },
    '/ended': get('/ended', `Cookie: __Host-deskgate=${'x'.repeat(43)}`, ...page),
    '/boss/own': get('/boss/own', a),
    '/boss/other': get('/boss/other', b),
    '/boss/token': get('/boss/token', token({})),
    '/fresh/page': get('/fresh/page', a, ...page),
    '/late': get('/late', token({ exp: iat - 600, iat: iat - 1200 }), a),
    '/stream': get('/stream', ...stream),
    '/stream/own': get('/stream/own', b, ...stream),
    '/socket': get('/socket', ...upgrade),
    '/socket/own': get('/socket/own', a, ...upgrade, `Origin: ${publicUrl}`),
    '/socket/foreign': get('/socket/foreign', a, ...upgrade, 'Origin: https://evil.example'),
    '/open/foreign': get('/open/foreign', ...upgrade, 'Origin: https://evil.example'),
    '/admin/page': get('/admin/page', ...page),
  }
}

async function statusOf(port: number, { line, headers }: Sent): Promise<number> {
  const raw = openRaw(port)
  raw.send([line, 'Host: desk.example.com', ...headers, '', ''].join('\r\n'))
  const { status } = await raw.response()
  raw.close()
  return status
}

t.test('the report lists exactly what enforcing stops', async t => {
  const place = await start(t)
  const { gateway, desk } = place
  const requests = await everything(place)
  place.clock.move(2000)
  for (const [path, sent] of Object.entries(requests)) {
    const status = await statusOf(gateway.port, sent)
    t.equal(status === 200 || status === 101, path !== '/admin/page', `${path} observed: ${status}`)
  }
  const { mode, groups, requests: count } = await place.report()
  t.equal(mode, 'observe')
  const reported = groups.map(({ path }) => path).sort()
  t.equal(count, reported.length, 'each path once')
  const whys = Object.fromEntries(groups.map(one => [one.path, `${one.client} ${one.why}`]))
  t.match(whys, {
    '/nobody': 'document no_session',
    '/script': 'program no_session',
    '/frame': 'frame no_session',
    '/form': 'document no_session',
    '/boss/other': 'program forbidden',
    '/boss/token': 'program forbidden',
    '/fresh/page': 'document step_up',
    '/late': 'program bearer_refused',
    '/stream': 'event_stream no_session',
    '/socket': 'websocket no_session',
    '/socket/foreign': 'websocket wrong_origin',
    '/open/foreign': 'websocket wrong_origin',
  })
  t.match(
    groups.find(({ path }) => path === '/boss/other'),
    { detail: '/boss/*: roles', agents: ['bob@example.com'] },
  )
  t.match(
    groups.find(({ path }) => path === '/late'),
    { detail: 'jwt.expired', agents: [] },
  )
  const identityOf = (path: string) => desk.seen.find(({ url }) => url === path)?.folded('x-agent-email')
  const identities: [string, string[]][] = [
    ['/saml', ['ada@example.com']],
    ['/jwt', ['bob@example.com']],
    ['/link', ['eve@example.com']],
    ['/bearer', ['bob@example.com']],
    ['/boss/other', ['bob@example.com']],
    ['/boss/token', ['bob@example.com']],
    ['/fresh/page', ['ada@example.com']],
    ['/nobody', []],
    ['/late', []],
    ['/socket/own', ['ada@example.com']],
    ['/socket/foreign', []],
  ]
  for (const [path, expected] of identities) t.same(identityOf(path), expected, `identity at ${path}`)

  await place.reload({ mode: 'enforce' })
  const stopped: string[] = []
  for (const [path, sent] of Object.entries(requests)) {
    const before = desk.seen.length
    await statusOf(gateway.port, sent)
    if (desk.seen.length === before) stopped.push(path)
  }
  t.same(stopped.filter(path => path !== '/admin/page').sort(), reported)
  t.match(await place.report(), { mode: 'enforce', requests: 0, groups: [] })
})

t.test('outcome, log line, /ready and the log at the start say what was let pass', async t => {
  const { gateway, report } = await start(t)
  await sendRaw(gateway.port, rawRequest('GET /tickets/4711?secret=1 HTTP/1.1'))
  await gateway.line(({ path }) => path === '/tickets/4711')
  t.match(
    gateway.lines.find(({ path }) => path === '/tickets/4711'),
    { outcome: 'observed', observed: 'no_session', status: 200 },
  )
  t.match(
    gateway.lines.find(({ mode }) => mode === 'observe'),
    { level: 'warn', msg: /^nothing is guarded/, enforced: ['/admin/*'] },
  )
  t.match(await (await fetch(`${gateway.opsUrl}/ready`)).json(), {
    ready: true,
    mode: 'observe',
    warning: /nothing is guarded/,
  })
  t.match(await (await fetch(`${gateway.opsUrl}/metrics`)).text(), /outcome="observed"\} 1\n/)
  const text = JSON.stringify(await report())
  t.match(text, '"path":"/tickets/*"')
  t.notMatch(text, /4711|secret/)
})

/** An event stream and a WebSocket. */
async function open(
  { desk, gateway }: Place,
  path: string,
  ...headers: string[]
): Promise<[RawConnection, RawConnection]> {
  desk.onRequest((_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders(),
  )
  const both = [openRaw(gateway.port), openRaw(gateway.port)] as const
  both[0].send([`GET ${path} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n'))
  both[1].send([`GET ${path} HTTP/1.1`, 'Host: x', ...headers, ...upgrade, '', ''].join('\r\n'))
  await both[0].until(seen => seen.includes('\r\n\r\n'))
  if ((await both[1].response()).status !== 101) throw new Error('no WebSocket')
  return [...both]
}

t.test('what is open and observed stays while it is observed, and is closed when it would be refused', async t => {
  const place = await start(t)
  const { newAgent, idp, gateway } = place
  const bob = newAgent()
  await logIn(bob, idp, { way: 'portal', email: 'bob@example.com' })
  const anonymous = await open(place, '/live')
  const forbidden = await open(place, '/boss/live', cookieOf(bob))
  const allowed = await open(place, '/own', cookieOf(bob))
  const isOver = new Set<RawConnection>()
  for (const one of [...anonymous, ...forbidden, ...allowed])
    one.ended().then(
      () => isOver.add(one),
      () => {},
    )
  // Another change of the settings, so that everything is checked again while it is still observed.
  await place.reload({ log: { level: 'info', access: false } })
  await new Promise(resolve => setTimeout(resolve, 1300))
  t.equal(isOver.size, 0, 'nothing observed is cut')
  await place.reload({ observe: { enforce: ['/live'] } })
  await until(() => anonymous.every(one => isOver.has(one)))
  t.equal(isOver.size, 2, 'a path that is enforced from now on')
  const late = await open(place, '/other')
  late[0].ended().then(
    () => isOver.add(late[0]),
    () => {},
  )
  late[1].ended().then(
    () => isOver.add(late[1]),
    () => {},
  )
  await place.reload({ mode: 'enforce' })
  await until(() => [...late, ...forbidden].every(one => isOver.has(one)))
  t.equal(isOver.size, 6)
  t.notOk(
    allowed.some(one => isOver.has(one)),
    'an agent who may be there stays',
  )
  for (const one of allowed) one.close()
  t.match(
    gateway.lines.find(({ path, outcome }) => path === '/live' && outcome === 'observed'),
    { observed: 'no_session' },
  )
})
