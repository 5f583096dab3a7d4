// A WebSocket is let through by the same door, guard and hygiene as a request, only from our own pages, and no longer than
// the session it began with.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { agree, startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw } from '../parts/raw-http.js'
import { frame } from '../parts/websocket.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()

interface Handshake {
  line?: string
  headers?: string[]
  cookie?: string | null
  port?: number
  after?: string
}

const usual = [
  'Upgrade: websocket',
  'Connection: keep-alive, Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

function open(handshake: Handshake = {}) {
  const { line = 'GET /ws?a=%2e HTTP/1.1', headers = usual, port = proxy.port } = handshake
  const own = handshake.cookie === null ? [] : [`Cookie: ${handshake.cookie ?? cookie}`]
  const connection = openRaw(port)
  connection.send([line, 'Host: x', ...own, ...headers, '', handshake.after ?? ''].join('\r\n'))
  return connection
}

async function refusal(handshake: Handshake) {
  const before = desk.seen.length
  const connection = open(handshake)
  const answer = await connection.response()
  await connection.ended()
  return { status: answer.status, reached: desk.seen.length - before, body: answer.body.toString() }
}

const gauge = async (of = proxy) => Number(/deskgate_websockets (\d+)/.exec((await of.metrics.text()).body)?.[1])
const until = async (test: () => boolean | Promise<boolean>) => {
  while (!(await test())) await new Promise(resolve => setImmediate(resolve))
}

t.test('an agreed WebSocket carries bytes both ways, and Desk knows the agent', async t => {
  const connection = open({
    headers: [
      ...usual,
      'Origin: https://desk.example.com',
      'Sec-WebSocket-Protocol: chat',
      'X_Agent_Email: evil@example.com',
      'Connection: X-Agent-Email',
      'X-Forwarded-For: 6.6.6.6',
    ],
    after: frame('early', { opcode: 1, masked: true }).toString('latin1'),
  })
  const answer = await connection.response()
  t.equal(answer.status, 101)
  t.match(answer.all('upgrade'), ['websocket'])
  t.match(answer.all('sec-websocket-accept'), ['for-dGhlIHNhbXBsZSBub25jZQ=='])
  await connection.until(seen => seen.toString().endsWith('early'), 'echo of what came with the handshake')
  const before = connection.seen().length
  const long = frame(Buffer.alloc(300_000, 'x'), { opcode: 2, masked: true })
  connection.send(long)
  await connection.until(seen => seen.length === before + long.length, 'echo')
  t.same(connection.seen().subarray(before), long)
  const got = desk.last()
  t.equal(got.url, '/ws?a=%2e')
  for (const [name, value] of Object.entries({
    'x-agent-email': 'alice@example.com',
    'x-agent-id': '7',
    'x-agent-name': 'Alice',
    'x-agent-roles': 'agent',
    'x-agent-provider': 'corp',
  })) {
    t.strictSame(got.folded(name), [value], name)
  }
  t.equal(got.folded('x-agent-assertion').length, 1)
  t.strictSame(got.folded('x-forwarded-for'), ['127.0.0.1'])
  t.strictSame(got.all('cookie'), [])
  t.strictSame(got.all('host'), ['desk.example.com'])
  t.strictSame(got.all('connection'), ['Upgrade'])
  t.strictSame(got.all('sec-websocket-protocol'), ['chat'])
  t.equal(await gauge(), 1)
  connection.close()
  await until(async () => (await gauge()) === 0)
})

t.test('on a public path there is no identity', async t => {
  const connection = open({ line: 'GET /open HTTP/1.1' })
  t.equal((await connection.response()).status, 101)
  t.strictSame(
    desk.last().headers.filter(([name]) => /agent/i.test(name)),
    [],
  )
  connection.close()
})

t.test(
  'who has no session, comes from elsewhere or asks for our own paths is refused before Desk hears of it',
  async t => {
    const cases: [string, Handshake, number][] = [
      ['no session', { cookie: null }, 401],
      ['a made-up session', { cookie: `__Host-deskgate=${'A'.repeat(43)}` }, 401],
      ['two sessions', { cookie: `${cookie}; ${cookie}` }, 401],
      [
        'no session, and no whole handshake',
        { cookie: null, headers: ['Upgrade: websocket', 'Connection: Upgrade'] },
        401,
      ],
      ['another origin', { headers: [...usual, 'Origin: https://evil.example'] }, 403],
      ['origin null', { headers: [...usual, 'Origin: null'] }, 403],
      ['our origin, over http', { headers: [...usual, 'Origin: http://desk.example.com'] }, 403],
      ['our origin with more', { headers: [...usual, 'Origin: https://desk.example.com.evil.example'] }, 403],
      ['two origins', { headers: [...usual, 'Origin: https://desk.example.com', 'Origin: https://evil.example'] }, 403],
      [
        'another origin on a public path',
        { line: 'GET /open HTTP/1.1', headers: [...usual, 'Origin: https://evil.example'] },
        403,
      ],
      ['our own path', { line: 'GET /auth/login HTTP/1.1' }, 404],
      ['our own path, misspelt', { line: 'GET /AUTH/x HTTP/1.1' }, 404],
      ['dot segments', { line: 'GET /open/../ws HTTP/1.1' }, 400],
      ['an absolute target', { line: 'GET http://evil/ws HTTP/1.1' }, 400],
      ['too many headers', { headers: [...usual, ...Array.from({ length: 250 }, (_, i) => `X-${i}: 1`)] }, 431],
    ]
    for (const [why, handshake, status] of cases) t.match(await refusal(handshake), { status, reached: 0 }, why)
  },
)

t.test('what is not a WebSocket handshake is refused and closed', async t => {
  const without = (name: string) => usual.filter(line => !line.startsWith(name))
  const cases: [string, Handshake][] = [
    ['two protocols', { headers: [...without('Upgrade'), 'Upgrade: websocket, h2c'] }],
    ['no version', { headers: without('Sec-WebSocket-Version') }],
    ['no key', { headers: without('Sec-WebSocket-Key') }],
    ['a short key', { headers: [...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: abc'] }],
    ['two keys', { headers: [...usual, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='] }],
    ['POST', { line: 'POST /ws HTTP/1.1' }],
    ['a body', { headers: [...usual, 'Content-Length: 5'], after: 'GET /' }],
    ['a chunked body', { headers: [...usual, 'Transfer-Encoding: chunked'], after: '0\r\n\r\n' }],
    ['HTTP/1.0', { line: 'GET /ws HTTP/1.0' }],
    ['a public path, no key', { line: 'GET /open HTTP/1.1', headers: without('Sec-WebSocket-Key') }],
  ]
  for (const [why, handshake] of cases) t.match(await refusal(handshake), { status: 400, reached: 0 }, why)
})

t.test('a handshake of another version learns which one is spoken here', async t => {
  for (const version of ['8', '7', '0', '12', '14', '013', '13, 8', 'x']) {
    for (const line of ['GET /ws HTTP/1.1', 'GET /open HTTP/1.1']) {
      const before = desk.seen.length
      const others = usual.filter(one => !one.startsWith('Sec-WebSocket-Version'))
      const connection = open({ line, headers: [...others, `Sec-WebSocket-Version: ${version}`] })
      const answer = await connection.response()
      t.match([answer.status, answer.all('sec-websocket-version')], [426, ['13']], version)
      t.match(answer.all('upgrade'), ['websocket'])
      t.equal(desk.seen.length, before)
      connection.close()
    }
  }
})

t.test("Desk's refusal comes back as it is, less what must not", async t => {
  desk.onUpgrade((_, socket) =>
    socket.end(
      `HTTP/1.1 403 Not you\r\nX-Why: because\r\nSet-Cookie: __Host-deskgate=EVIL\r\nSet-Cookie: a=1\r\nLocation: ${desk.url}/login\r\nContent-Length: 6\r\n\r\nno way`,
    ),
  )
  const connection = open()
  const answer = await connection.response()
  t.match(answer, { status: 403, reason: 'Not you', whole: true })
  t.equal(answer.body.toString(), 'no way')
  t.strictSame(answer.all('x-why'), ['because'])
  t.strictSame(answer.all('set-cookie'), ['a=1'])
  t.strictSame(answer.all('location'), ['https://desk.example.com/login'])
  await connection.ended()
  desk.onUpgrade((_, socket) =>
    socket.end('HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
  )
  t.equal((await open().response()).body.toString(), 'abc')
})

t.test('Attack: whatever Desk answers to a handshake, the browser gets one answer and nothing behind it', async t => {
  const no = 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'
  const yes = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  const cases: [why: string, answer: string, status: number, body: string][] = [
    ['more than its length', `${no}surplus`, 403, 'no'],
    ['another answer behind it', `${no}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`, 403, 'no'],
    ['a refusal, then an agreement', no + yes, 403, 'no'],
    ['less than its length', 'HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno', 403, 'no'],
    ['a status that is none', 'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n', 502, 'desk_unreachable'],
    [
      'a length and chunks',
      'HTTP/1.1 403 No\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      502,
      '',
    ],
    ['a NUL in a header', yes.replace('\r\n\r\n', '\r\nX: a\0b\r\n\r\n'), 502, ''],
    ['a folded header', yes.replace('\r\n\r\n', '\r\nX: a\r\n b\r\n\r\n'), 502, ''],
    ['two protocols', yes.replace('websocket', 'websocket, h2c'), 502, ''],
    ['a huge head', `HTTP/1.1 403 No\r\n${`X: ${'y'.repeat(8000)}\r\n`.repeat(200)}\r\n`, 502, ''],
    ['nothing', '', 502, ''],
    ['an agreement with the status of an answer', yes.replace('101', '200'), 200, ''],
    ['hints before the refusal', `HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n${no}`, 403, 'no'],
  ]
  for (const [why, bytes, status, body] of cases) {
    desk.onUpgrade((_, socket) => socket.end(bytes))
    const connection = open()
    await connection.ended()
    const seen = connection.seen().toString('latin1')
    t.match(seen, new RegExp(`^HTTP/1\\.1 ${status} `), why)
    t.equal(seen.split('HTTP/1.').length, 2, `${why}: one answer`)
    if (body) t.equal(seen.slice(seen.indexOf('\r\n\r\n') + 4), body, why)
  }
  await until(async () => (await gauge()) === 0)
})

t.test("Attack: a gateway's cookie, or a length, in Desk's agreement does not come back", async t => {
  desk.onUpgrade((request, socket) => {
    const more = ['Set-Cookie: __Host-deskgate=EVIL; Path=/', 'Set-Cookie: a=1', 'Content-Length: 5', 'Keep-Alive: x']
    agree(request, socket, more)
  })
  const connection = open()
  const answer = await connection.response()
  t.equal(answer.status, 101)
  t.strictSame(answer.all('set-cookie'), ['a=1'])
  for (const name of ['content-length', 'transfer-encoding', 'keep-alive']) t.strictSame(answer.all(name), [], name)
  connection.close()
})

t.test('an agent whose identity cannot be written gets no WebSocket, and nobody else suffers', async t => {
  const { cookie } = await proxy.logIn({ email: 'nobody@example.com' })
  const { identity } = proxy.snapshot
  const { append } = identity
  identity.append = (flat, who) => {
    if (who.agent.email === 'nobody@example.com') throw new Error('no identity')
    append(flat, who)
  }
  t.match(await refusal({ cookie }), { status: 500, reached: 0 })
  t.match(proxy.lines.at(-1), { path: '/ws', status: 500 })
  identity.append = append
})

t.test('a Desk that is down, silent or speaks otherwise is 502 or 504, in silence about where it is', async t => {
  desk.onUpgrade((request, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nX: ${request.url}\r\n\r\n`)
  })
  t.equal((await open().response()).status, 502)
  desk.onUpgrade((_, socket) => socket.end('SSH-2.0\r\n\r\n'))
  t.equal((await open().response()).status, 502)
  desk.onUpgrade((_, socket) => socket.destroy())
  t.equal((await open().response()).status, 502)
  const server = createServer(() => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const silent = await startProxy({ deskUrl: `http://127.0.0.1:${port}`, settings: { desk: { timeout: '200ms' } } })
  const { cookie } = await silent.logIn()
  t.equal((await open({ port: silent.port, cookie }).response()).status, 504)
  await silent.close()
  server.close()
  const down = await startProxy({ deskUrl: `http://127.0.0.1:${port}` })
  const late = await down.logIn()
  const answer = await open({ port: down.port, cookie: late.cookie }).response()
  t.equal(answer.status, 502)
  t.notMatch(answer.body.toString(), /127|ECONN/)
  t.match(down.lines.at(-1), { outcome: 'upstream_error', status: 502 })
  await down.close()
})

t.test('the end of a session is the end of its WebSockets, and of no other', async t => {
  desk.onUpgrade((request, socket) => {
    agree(request, socket)
    socket.pipe(socket)
  })
  const [one, other] = [
    await proxy.logIn({ email: 'one@example.com' }),
    await proxy.logIn({ email: 'other@example.com' }),
  ]
  const mine = open({ cookie: one.cookie })
  const theirs = open({ cookie: other.cookie })
  for (const connection of [mine, theirs]) t.equal((await connection.response()).status, 101)
  await proxy.sessions.end({ handle: one.session.handle }, 'test')
  await mine.ended()
  const here = frame('still here', { opcode: 1, masked: true })
  theirs.send(here)
  await theirs.until(seen => seen.equals(here))
  theirs.close()
})

t.test('a session that ends while Desk still thinks takes the handshake with it', async t => {
  const { cookie, session } = await proxy.logIn({ email: 'slow@example.com' })
  let asked = false
  desk.onUpgrade(() => {
    asked = true
  })
  const connection = open({ cookie })
  await until(() => asked)
  await proxy.sessions.end({ handle: session.handle }, 'test')
  await connection.ended()
  t.equal(connection.seen().length, 0)
})

t.test('a session that expires takes its WebSockets with it', async t => {
  desk.onUpgrade((request, socket) => agree(request, socket))
  for (const hours of [9, 25]) {
    const { cookie } = await proxy.logIn({ email: 'late@example.com' })
    const connection = open({ cookie })
    t.equal((await connection.response()).status, 101)
    await proxy.liveConnections.tick()
    t.equal(connection.socket.destroyed, false)
    proxy.clock.move(hours * 3_600_000)
    await proxy.liveConnections.tick()
    await connection.ended()
  }
})

t.test('while the store is down nobody new gets in, and who is in stays for nearCache and outageGrace', async t => {
  let down = false
  const broken = await startProxy({
    deskUrl: desk.url,
    settings: { sessions: { nearCache: '30s', outageGrace: '60s' } },
    store: clock => {
      const store = createMemoryStore({ clock })
      return { ...store, get: key => (down ? Promise.reject(new StoreUnavailable('down')) : store.get(key)) }
    },
  })
  const { cookie } = await broken.logIn()
  const connection = open({ port: broken.port, cookie })
  t.equal((await connection.response()).status, 101)
  await broken.liveConnections.tick()
  down = true
  broken.clock.move(89_000)
  await broken.liveConnections.tick()
  t.equal(connection.socket.destroyed, false)
  const before = desk.seen.length
  const stranger = `__Host-deskgate=${'A'.repeat(43)}`
  t.equal((await open({ port: broken.port, cookie: stranger }).response()).status, 503)
  t.equal(desk.seen.length, before)
  broken.clock.move(1_000)
  await broken.liveConnections.tick()
  await connection.ended()
  t.same(connection.seen().subarray(-17, -15), Buffer.from([3, 0xf5]), 'code 1013: try again later')
  await broken.close()
})

t.test('sockets that break off in any state leave the process running', async t => {
  desk.onUpgrade((request, socket) => {
    agree(request, socket)
    socket.on('data', () => socket.destroy())
  })
  const breaks = [0, 1, 2].map(async when => {
    const connection = open()
    if (when > 0) await connection.response()
    if (when > 1) {
      connection.send(frame('x', { opcode: 1, masked: true }))
      await connection.ended()
    }
    connection.socket.resetAndDestroy()
  })
  await Promise.all(breaks)
  await until(async () => (await gauge()) === 0)
  t.pass('and every one is counted out')
})

t.test('closeAll ends every WebSocket', async t => {
  desk.onUpgrade((request, socket) => agree(request, socket))
  const all = Array.from({ length: 10 }, () => open({ line: 'GET /open HTTP/1.1' }))
  for (const connection of all) t.equal((await connection.response()).status, 101)
  proxy.upgrades.closeAll(0)
  for (const connection of all) await connection.ended()
  await until(async () => (await gauge()) === 0)
})
