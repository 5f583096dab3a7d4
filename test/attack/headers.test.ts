// What Desk is told must come from the gateway alone, whatever a client puts into its headers.

import fc from 'fast-check'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
const trusting = await startProxy({ deskUrl: desk.url, settings: { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] } })
t.teardown(async () => {
  await proxy.close()
  await trusting.close()
  await desk.close()
})
const { cookie, session } = await proxy.logIn()
const trusted = await trusting.logIn()

const mine = {
  'X-Agent-Id': '7',
  'X-Agent-Email': 'alice@example.com',
  'X-Agent-Name': 'Alice',
  'X-Agent-Roles': 'agent',
  'X-Agent-Provider': 'corp',
}

/** Sends headers on a protected path and gives what Desk got. */
async function through(headers: string[], line = 'GET /x HTTP/1.1') {
  const answer = await sendRaw(proxy.port, rawRequest(line, [`Cookie: ${cookie}`, ...headers]))
  t.equal(answer.status, 200)
  return desk.last()
}

function onlyMine(test: Test) {
  const got = desk.last()
  for (const [name, value] of Object.entries(mine)) test.strictSame(got.folded(name), [value], name)
  test.equal(got.folded('x-agent-assertion').length, 1)
  const family = got.headers.filter(([name]) => /^x.agent/i.test(name))
  test.equal(family.length, 6, 'and nothing else of the family')
}

t.test('identity that a client sends is dropped, in every spelling, and ours arrives once', async t => {
  const spoofs: string[][] = [
    ['X-Agent-Email: evil@example.com'],
    ['x-AGENT-email: evil@example.com'],
    ['X_Agent_Email: evil@example.com'],
    ['X-Agent_Email: evil@example.com', 'X.Agent.Email: evil@example.com', 'X~Agent~Email: evil'],
    ['X-Agent-Email: evil@example.com', 'X-Agent-Email: evil@example.com'],
    ['X-Agent-Assertion: eyJhbGciOiJub25lIn0.e30.'],
    ['X-Agent-Anything: evil'],
    ['X-Agent-Email:'],
  ]
  for (const headers of spoofs) {
    await through(headers)
    onlyMine(t)
  }
})

t.test('Connection cannot take the identity away, nor anything that the gateway says', async t => {
  const attempts = [
    ['Connection: X-Agent-Email'],
    ['Connection: keep-alive, x-agent-email, X-Forwarded-For, X-Request-Id, Host'],
    ['Connection: X-Agent-Email', 'Connection: X-Agent-Assertion'],
    ['Connection: X-AGENT-email, X_Agent_Id', 'connection: x-agent-ROLES'],
    ['Connection: close', 'Connection: \t X-Agent-Name \t'],
    ['Connection: cookie, authorization, content-length'],
    ['Connection: "X-Agent-Email"', 'Connection: X-Agent-*'],
    ['Connection: ,,X-Agent-Email', 'X-Agent-Email: evil'],
  ]
  for (const headers of attempts) {
    await through(headers)
    onlyMine(t)
    t.strictSame(desk.last().all('host'), ['desk.example.com'])
    t.strictSame(desk.last().all('x-forwarded-for'), ['127.0.0.1'])
  }
})

t.test('the assertion that arrives verifies and is about this session', async t => {
  const [token = ''] = (await through([])).all('x-agent-assertion')
  const keys = createLocalJWKSet(proxy.snapshot.identity.jwks() as JSONWebKeySet)
  const { payload } = await jwtVerify(token, keys, {
    issuer: 'https://desk.example.com',
    audience: desk.url,
    algorithms: ['ES256'],
    currentDate: new Date(proxy.clock.now()),
  })
  t.match(payload, { sub: 'alice@example.com', sid: session.handle, provider: 'corp' })
})

t.test('on a public path Desk gets no identity, even if a session exists', async t => {
  for (const path of ['/assets/a.css', '/open']) {
    await through(['X-Agent-Email: evil@example.com', 'X_Agent_Id: 1'], `GET ${path} HTTP/1.1`)
    t.strictSame(
      desk.last().headers.filter(([name]) => /agent/i.test(name)),
      [],
    )
    t.strictSame(desk.last().all('cookie'), [])
  }
})

t.test("the gateway's cookies stay here, Desk's own pass as they are", async t => {
  await sendRaw(
    proxy.port,
    rawRequest('GET /x HTTP/1.1', [
      `Cookie: a=1; ${cookie}; b="x y"`,
      'Cookie: __Host-deskgate-login.abc=1; __Secure-deskgate-seen=2',
      'cookie: c=3',
    ]),
  )
  t.strictSame(desk.last().all('cookie'), ['a=1; b="x y"; c=3'])
})

t.test('two session cookies in one request are none, in one line or in two', async t => {
  const before = desk.seen.length
  const other = await proxy.logIn({ email: 'bob@example.com' })
  for (const lines of [
    [`Cookie: ${cookie}; ${other.cookie}`],
    [`Cookie: ${cookie}`, `Cookie: ${other.cookie}`],
    [`Cookie: ${cookie}`, `cookie: ${cookie}`],
  ]) {
    t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', lines))).status, 401)
  }
  t.equal(desk.seen.length, before, 'nothing reached Desk')
})

t.test('what belongs to one connection is not passed on', async t => {
  const hop = [
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic eDp5',
    'TE: trailers',
    'Trailer: X-A',
    'HTTP2-Settings: AAMAAABk',
    'Proxy: http://evil',
    'Upgrade-Insecure-Requests: 1',
    'Transfer_Encoding: chunked',
    'Content_Length: 5',
    'X-Mine: 1',
    'Connection: X-Mine',
  ]
  const got = await through(hop)
  for (const name of [
    'keep-alive',
    'proxy-connection',
    'proxy-authorization',
    'te',
    'trailer',
    'http2-settings',
    'proxy',
    'transfer-encoding',
    'content-length',
    'x-mine',
  ]) {
    t.strictSame(got.folded(name), [], name)
  }
  t.strictSame(got.all('upgrade-insecure-requests'), ['1'])
})

t.test('Expect: 100-continue is answered here and the upload arrives', async t => {
  const connection = openRaw(proxy.port)
  connection.send(
    [
      'POST /up HTTP/1.1',
      'Host: x',
      `Cookie: ${cookie}`,
      'Expect: 100-continue',
      'Content-Length: 5',
      'Connection: close',
      '',
      '',
    ].join('\r\n'),
  )
  await connection.until(seen => seen.includes('100 Continue'), 'an invitation')
  connection.send('12345')
  t.equal((await connection.response()).status, 200)
  t.equal(desk.last().body.toString(), '12345')
  t.strictSame(desk.last().all('expect'), [])
})

t.test('forwarding headers of a peer that is not trusted are ignored', async t => {
  const lies = [
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Proto: http',
    'X-Forwarded-Host: evil',
    'X-Forwarded-Port: 1',
    'X_Forwarded_For: 6.6.6.6',
    'Forwarded: for=6.6.6.6',
    'X-Real-IP: 6.6.6.6',
    'X-Original-URL: /admin',
    'X-Rewrite-URL: /admin',
    'X-Forwarded-Uri: /open',
    'True-Client-IP: 6.6.6.6',
    'X-Client-IP: 6.6.6.6',
    'X-Request-Id: mine',
    'X-Forwarded: x',
  ]
  const got = await through(lies)
  t.notMatch(JSON.stringify(got.headers), /6\.6\.6\.6|evil|admin|open/)
  t.strictSame(got.folded('x-forwarded-for'), ['127.0.0.1'])
  t.strictSame(got.folded('x-forwarded-proto'), ['https'])
  t.strictSame(got.folded('x-forwarded-host'), ['desk.example.com'])
  t.strictSame(got.folded('x-forwarded-port'), [])
  t.match(got.all('x-request-id'), [/^[\w-]{22}$/])
})

t.test('behind trusted proxies the client is the last address that none of them vouches for', async t => {
  const cases: [string | undefined, string, string][] = [
    ['198.51.100.7', '198.51.100.7', '198.51.100.7, 127.0.0.1'],
    ['6.6.6.6, 198.51.100.7, 10.1.1.1', '198.51.100.7', '198.51.100.7, 10.1.1.1, 127.0.0.1'],
    ['10.1.1.1', '10.1.1.1', '10.1.1.1, 127.0.0.1'],
    ['10.1.1.2, 10.1.1.1', '10.1.1.2', '10.1.1.2, 10.1.1.1, 127.0.0.1'],
    ['198.51.100.7:4711', '198.51.100.7', '198.51.100.7, 127.0.0.1'],
    ['[2001:db8::1]:99', '2001:db8::1', '2001:db8::1, 127.0.0.1'],
    ['::ffff:198.51.100.7', '198.51.100.7', '198.51.100.7, 127.0.0.1'],
    ['nonsense, 10.1.1.1', '10.1.1.1', '10.1.1.1, 127.0.0.1'],
    ['6.6.6.6, nonsense, 198.51.100.7', '198.51.100.7', '198.51.100.7, 127.0.0.1'],
    [`${'6.6.6.6, '.repeat(300)}198.51.100.7`, '198.51.100.7', '198.51.100.7, 127.0.0.1'],
    ...[
      ...['198.51.100.7, nonsense', '"><script>', '1', 'not-an-ip', 'x'.repeat(3000), '127.1', '0x7f.0.0.1'],
      ...['198.51.100.7:99999999', '198.51.100.7, , ', 'unknown', '_hidden', '{"a":1}'],
    ].map((sent): [string, string, string] => [sent, '127.0.0.1', '127.0.0.1']),
    [undefined, '127.0.0.1', '127.0.0.1'],
  ]
  for (const [sent, address, passed] of cases) {
    const lines = [
      `Cookie: ${trusted.cookie}`,
      ...(sent === undefined ? [] : [`X-Forwarded-For: ${sent}`]),
      'X-Request-Id: abc-1',
      'X-Forwarded-Host: evil',
      'X-Real-IP: 1.2.3.4',
    ]
    await sendRaw(trusting.port, rawRequest('GET /x HTTP/1.1', lines))
    t.strictSame(desk.last().folded('x-forwarded-for'), [passed])
    t.strictSame(desk.last().folded('x-forwarded-host'), ['desk.example.com'])
    t.strictSame(desk.last().folded('x-real-ip'), [])
    t.strictSame(desk.last().all('x-request-id'), ['abc-1'])
    t.equal(trusting.lines.at(-1)?.address, address, `${sent} → ${address}`)
  }
  await sendRaw(
    trusting.port,
    rawRequest('GET /x HTTP/1.1', [`Cookie: ${trusted.cookie}`, `X-Request-Id: ${'x'.repeat(129)}`]),
  )
  t.match(desk.last().all('x-request-id'), [/^[\w-]{22}$/])
})

t.test('unusual but legal headers pass unchanged, in order and repeated', async t => {
  const odd = [
    "!#$%&'*+-.^_`|~: x",
    'X-Latin: \xe9\xff',
    'X-Tab: a\tb',
    'X-Empty:',
    'X-Twice: 1',
    'x-twice: 2',
    'Authorization: Basic abc',
    'Accept: text/html;q="a,b"',
  ]
  const got = await through(odd)
  const kept = got.headers.filter(([name]) => /^(!|x-latin|x-tab|x-empty|x-twice|authorization|accept$)/i.test(name))
  t.strictSame(kept, [
    ["!#$%&'*+-.^_`|~", 'x'],
    ['X-Latin', '\xe9\xff'],
    ['X-Tab', 'a\tb'],
    ['X-Empty', ''],
    ['X-Twice', '1'],
    ['x-twice', '2'],
    ['Authorization', 'Basic abc'],
    ['Accept', 'text/html;q="a,b"'],
  ])
})

t.test('an agent whose identity cannot be written does not reach Desk', async t => {
  const before = desk.seen.length
  const { cookie } = await proxy.logIn({ email: 'nobody@example.com' })
  const { identity } = proxy.snapshot
  const { append } = identity
  identity.append = (flat, who) => {
    if (who.agent.email === 'nobody@example.com') throw new Error('no identity')
    append(flat, who)
  }
  t.teardown(() => {
    identity.append = append
  })
  const answer = await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`]))
  t.match(answer, { status: 500, whole: true })
  t.notMatch(answer.body.toString(), /no identity/)
  t.equal(desk.seen.length, before)
})

t.test('agents with unusual names reach Desk', async t => {
  const odd = await proxy.logIn({ email: 'zoe@example.com', name: 'Zoë 日本\r\nX-Admin: 1', roles: ['a,b', 'ü'] })
  t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${odd.cookie}`]))).status, 200)
  t.strictSame(desk.last().all('x-agent-name'), ['Zo%C3%AB %E6%97%A5%E6%9C%AC%0D%0AX-Admin: 1'])
  t.strictSame(desk.last().all('x-agent-roles'), ['a%2Cb,%C3%BC'])
  t.strictSame(desk.last().all('x-admin'), [])
})

t.test('too many header lines are 431, and a head that is too large never gets in', async t => {
  const before = desk.seen.length
  const many = Array.from({ length: 250 }, (_, i) => `X-${i}: 1`)
  t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [...many, `Cookie: ${cookie}`]))).status, 431)
  const tiny = Array.from({ length: 3000 }, (_, i) => `a${i}:`)
  t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [...tiny, `Cookie: ${cookie}`]))).status, 431)
  t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`X: ${'x'.repeat(40_000)}`]))).status, 431)
  t.equal(
    (await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}; big=${'x'.repeat(20_000)}`]))).status,
    200,
  )
  t.equal(desk.seen.length, before + 1)
})

t.test('two chains of a trusted proxy are read as one, from its end', async t => {
  const lines = ['X-Forwarded-For: 198.51.100.7', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 10.1.1.1']
  await sendRaw(trusting.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${trusted.cookie}`, ...lines]))
  t.strictSame(desk.last().folded('x-forwarded-for'), ['6.6.6.6, 10.1.1.1, 127.0.0.1'])
  t.equal(trusting.lines.at(-1)?.address, '6.6.6.6')
})

t.test('Attack: a header names another method than the one that was decided on', async t => {
  const names = [
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'x_http_method_override',
    'X.HTTP.Method.Override',
    'X-Http~Method-OVERRIDE',
    'X-HttpMethod-Override',
    'X-HTTP-Verb-Override',
    'HTTP-Method-Override',
    'X-Override-Method',
    'Method-Override',
    'X-Method',
  ]
  for (const name of names) {
    await through([`${name}: DELETE`], 'POST /x HTTP/1.1')
    t.notOk(
      desk.last().headers.some(([, value]) => value === 'DELETE'),
      name,
    )
    await through([`Connection: X`, `${name}: DELETE`, `${name}: PUT`])
    t.strictSame(desk.last().all(name), [], `${name}, twice`)
  }
  for (const name of ['Method', 'X-Methodology', 'X-Payment-Method', 'Access-Control-Request-Method', 'X-Override']) {
    await through([`${name}: DELETE`])
    t.strictSame(desk.last().all(name), ['DELETE'], `${name} is an application's own`)
  }
  const lenient = await startProxy({ deskUrl: desk.url, settings: { desk: { methodOverride: true } } })
  t.teardown(lenient.close)
  const { cookie } = await lenient.logIn()
  for (const name of names) {
    await sendRaw(lenient.port, rawRequest('POST /x HTTP/1.1', [`Cookie: ${cookie}`, `${name}: DELETE`]))
    t.strictSame(desk.last().all(name), ['DELETE'], `desk.methodOverride passes ${name}`)
  }
})

t.test('cookies in several lines reach Desk in one, at the place of the first', async t => {
  const own = [`Cookie: ${cookie}`]
  const cases: [string[], string[]][] = [
    [['Cookie: a=1', 'Cookie: b=2'], ['a=1; b=2']],
    [['Cookie: a=1', 'X-Between: 1', 'cookie: b=2', 'COOKIE: c=3; d=4'], ['a=1; b=2; c=3; d=4']],
    [['Cookie: __Secure-deskgate-seen=1', 'Cookie: a=1'], ['a=1']],
    [['Cookie: a="1, 2"', 'Cookie: a=3'], ['a="1, 2"; a=3']],
    [['Cookie: __Host-deskgate-login.x=1'], []],
  ]
  for (const [lines, arrives] of cases) {
    await through(lines)
    t.strictSame(desk.last().all('cookie'), arrives)
    await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [...lines.slice(0, 1), ...own, ...lines.slice(1)]))
    t.strictSame(desk.last().all('cookie'), arrives, 'the session cookie in a line between them')
  }
})

t.test('a malformed Host is refused, whatever it names', async t => {
  const before = desk.seen.length
  const bad = [
    'a b',
    'http://x',
    'x/y',
    'x?y',
    'user@x',
    'x:y',
    'x:99999',
    'x:80:80',
    'a,b',
    '[::1',
    '[zz]',
    'a..b',
    '.a',
  ]
  for (const host of [...bad, '', ':80', 'b\xfccher', 'x\\y', '<x>', '[::1]x', '[fe80::1%25eth0]', "x'y"]) {
    for (const path of ['/x', '/assets/x', '/auth/login']) {
      const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, `Cookie: ${cookie}`, 'Connection: close', '', '']
      t.equal((await sendRaw(proxy.port, lines.join('\r\n'))).status, 400, `${host} ${path}`)
    }
  }
  t.equal(desk.seen.length, before)
  for (const host of [
    'x',
    'X.example',
    'my_host:8080',
    '127.0.0.1',
    '[::1]',
    '[2001:db8::1]:443',
    'x.',
    'x:',
    'xn--bcher-kva.example',
  ]) {
    const lines = ['GET /x HTTP/1.1', `Host: ${host}`, `Cookie: ${cookie}`, 'Connection: close', '', '']
    t.equal((await sendRaw(proxy.port, lines.join('\r\n'))).status, 200, host)
  }
})

t.test('TRACE is refused on every path, with and without a session, and as a handshake', async t => {
  const before = desk.seen.length
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  for (const target of [
    '/',
    '/x',
    '/assets/x',
    '/open',
    '/auth/login',
    '/auth/nothing',
    'https://desk.example.com/x',
  ]) {
    for (const headers of [[], [`Cookie: ${cookie}`], ['Max-Forwards: 0'], upgrade]) {
      t.equal((await sendRaw(proxy.port, rawRequest(`TRACE ${target} HTTP/1.1`, headers))).status, 405, target)
    }
  }
  t.equal(desk.seen.length, before)
})

t.test("two Desks in one process never get each other's requests, whatever the path says", async t => {
  const other = await startDesk()
  const there = await startProxy({ deskUrl: other.url })
  const { cookie: theirs } = await there.logIn()
  t.teardown(async () => {
    await there.close()
    await other.close()
  })
  for (const path of [
    '/x',
    `/${other.url}/x`,
    `/@127.0.0.1:${other.port}/x`,
    `/:${other.port}/x`,
    `/${other.port}/x`,
  ]) {
    const [here, elsewhere] = [desk.seen.length, other.seen.length]
    await sendRaw(proxy.port, rawRequest(`GET ${path} HTTP/1.1`, [`Cookie: ${cookie}`]))
    t.strictSame([desk.seen.length, other.seen.length], [here + 1, elsewhere], path)
    t.equal(desk.last().url, path)
    await sendRaw(there.port, rawRequest(`GET ${path} HTTP/1.1`, [`Cookie: ${theirs}`]))
    t.strictSame([desk.seen.length, other.seen.length], [here + 1, elsewhere + 1], path)
  }
})

t.test('a session of one gateway, and its assertion as a header, open nothing at another', async t => {
  const before = desk.seen.length
  const [token = ''] = (await through([])).all('x-agent-assertion')
  const answer = await sendRaw(
    trusting.port,
    rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`, `X-Agent-Assertion: ${token}`]),
  )
  t.equal(answer.status, 401)
  t.equal(desk.seen.length, before + 1)
})

t.test('a user agent or a claimed path opens nothing', async t => {
  const before = desk.seen.length
  for (const header of [
    'User-Agent: GoogleHC/1.0',
    'User-Agent: kube-probe/1.30',
    'X-Forwarded-Uri: /open',
    'X-Original-URL: /open',
    'X-HTTP-Method-Override: GET',
    'X-Forwarded-Method: GET',
    'X-Original-URI: /open',
    'User-Agent: ELB-HealthChecker/2.0',
    'Purpose: prefetch',
    'Upgrade-Insecure-Requests: 1',
    'Via: 1.1 desk.example.com',
    'X-Agent-Email: alice@example.com',
    'Referer: https://desk.example.com/open',
    'Host: localhost',
  ]) {
    const answer = await sendRaw(
      proxy.port,
      [
        'GET /admin HTTP/1.1',
        ...(header.startsWith('Host') ? [] : ['Host: a']),
        header,
        'Connection: close',
        '',
        '',
      ].join('\r\n'),
    )
    t.equal(answer.status, 401, header)
  }
  t.equal(desk.seen.length, before)
})

t.test(
  'for whatever reaches Desk: one identity equal to the session on protected paths, none on public ones',
  async t => {
    const token = fc.string({ unit: fc.constantFrom(...'abexyzAEX-_.~!'), minLength: 1, maxLength: 12 })
    const name = fc.oneof(
      token,
      fc.constantFrom(
        'X-Agent-Email',
        'X-Agent-Id',
        'x_agent_roles',
        'X.AGENT.NAME',
        'X-Agent-Assertion',
        'Connection',
        'X-Forwarded-For',
        'Forwarded',
        'TE',
        'Keep-Alive',
        'Cookie',
        'Accept',
        'Proxy-X',
        'Expect-CT',
      ),
    )
    const value = fc.oneof(
      fc.constantFrom(
        'X-Agent-Email',
        'x-agent-email, close',
        'evil@example.com',
        'a=b',
        cookie,
        '',
        'keep-alive, X-Agent-Assertion',
      ),
      fc.string({ unit: fc.constantFrom(...'abc ,;=:"\t\xe9\x80%'), maxLength: 20 }),
    )
    const piece = fc.constantFrom(
      '/',
      'assets',
      'open',
      'admin',
      'auth',
      'AUTH',
      '..',
      '.',
      '%2e',
      '%2f',
      '%5c',
      '%61',
      ';',
      '//',
      '?',
      '%00',
      '%25',
      '\\',
      'a',
      '#',
    )
    const request = fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'PROPFIND'),
      path: fc.array(piece, { maxLength: 6 }).map(pieces => `/${pieces.join('')}`),
      headers: fc.array(fc.tuple(name, value), { maxLength: 6 }),
      session: fc.boolean(),
    })
    let reached = 0
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, headers, session }) => {
        const before = desk.seen.length
        const lines = [...headers.map(([key, text]) => `${key}: ${text}`), ...(session ? [`Cookie: ${cookie}`] : [])]
        const answer = await sendRaw(proxy.port, rawRequest(`${method} ${path} HTTP/1.1`, lines))
        const got = desk.seen.slice(before)
        if (got.length === 0) return answer.status !== 200 || answer.body.toString() === 'own'
        reached++
        const [only] = got
        const family = got.flatMap(({ headers }) => headers).filter(([key]) => /^x[^a-z0-9]agent[^a-z0-9]/i.test(key))
        const decoded = decodeURIComponent(path.split('?')[0] ?? '')
        const reads = /^\/assets\//.test(decoded) ? ['GET', 'HEAD'].includes(method) : decoded === '/open'
        const open = reads && !/%2f|%25|;/i.test(path.split('?')[0] ?? '')
        const right = open
          ? family.length === 0
          : family.length === 6 && Object.entries(mine).every(([key, text]) => only?.all(key).join() === text)
        return (
          got.length === 1 && only?.url === path && right && !JSON.stringify(only.all('cookie')).includes('deskgate')
        )
      }),
      { numRuns: 400 },
    )
    t.ok(reached > 40, `${reached} of them reached Desk`)
  },
)
