// A Desk that is down, slow, broken or breaks off.

import type { Socket } from 'node:net'
import t from 'tap'
import { startBareDesk as bareDesk } from '../../../parts/bare-desk.js'
import { startDesk } from '../../../parts/desk.js'
import { startProxy } from '../../../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../../../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()
const mine = `Cookie: ${cookie}`
const get = (path: string, headers: string[] = [], method = 'GET') =>
  sendRaw(proxy.port, rawRequest(`${method} ${path} HTTP/1.1`, [mine, ...headers]))

t.test('Desk down is 502, in silence about where it is', async t => {
  const down = await startDesk()
  const { url } = down
  await down.close()
  const proxy = await startProxy({ deskUrl: url })
  const { cookie } = await proxy.logIn()
  for (const line of ['GET /x HTTP/1.1', 'POST /x HTTP/1.1']) {
    const answer = await sendRaw(proxy.port, rawRequest(line, [`Cookie: ${cookie}`, 'Content-Length: 3'], 'abc'))
    t.equal(answer.status, 502)
    t.notMatch(JSON.stringify(answer) + answer.body, /127\.0\.0\.1|ECONN/)
  }
  t.match(proxy.lines.at(-1), { outcome: 'upstream_error', status: 502 })
  await proxy.close()
})

t.test('a slow Desk is 504, a slow body is not', async t => {
  const slow = await bareDesk(
    (socket, seen) => {
      if (seen.includes('/body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na')
    },
    { desk: { timeout: '200ms' } },
  )
  t.equal((await slow.ask()).status, 504)
  const connection = openRaw(slow.proxy.port)
  connection.send(rawRequest('GET /body HTTP/1.1', [`Cookie: ${slow.cookie}`]))
  await connection.until(seen => seen.includes('\r\n\r\na'))
  await new Promise(resolve => setTimeout(resolve, 400))
  slow.sockets.at(-1)?.write('b')
  t.match(await connection.response(), { status: 200, whole: true })
  await slow.close()
})

t.test('what Desk sends that is not HTTP becomes 502', async t => {
  const garbage = {
    'no HTTP': 'SSH-2.0-OpenSSH\r\n\r\n',
    'status 99': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
    'length and chunked': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    'a NUL in a header': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n',
    'an unasked 101': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    'an unasked 100': 'HTTP/1.1 100 Continue\r\n\r\n',
    'a huge head': `HTTP/1.1 200 OK\r\n${Array.from({ length: 200 }, (_, i) => `X-${i}: ${'x'.repeat(8000)}\r\n`).join('')}\r\n`,
    nothing: '',
  }
  for (const [why, bytes] of Object.entries(garbage)) {
    const bare = await bareDesk(socket => socket.end(bytes))
    t.equal((await bare.ask()).status, 502, why)
    t.equal(bare.sockets.length, 1, `${why}: asked once`)
    t.match(
      bare.proxy.lines.find(({ msg }) => msg === 'Desk response failed'),
      { level: 'warn', 'desk.url': /^http:\/\/127\.0\.0\.1:\d+$/ },
      `${why}: where it was looked for`,
    )
    await bare.close()
  }
  const odd = await bareDesk(socket =>
    socket.end('HTTP/1.1 200 \xc3\xa9\xe2\x82\xac\r\nContent-Length: 2\r\n\r\nok', 'latin1'),
  )
  t.match(await odd.ask(), { status: 200, whole: true }, 'an odd phrase is no reason to refuse')
  await odd.close()
})

t.test('a Desk that breaks off in the middle leaves no clean end', async t => {
  const bodies = {
    length: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
    chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
  }
  for (const [why, bytes] of Object.entries(bodies)) {
    const bare = await bareDesk(socket => socket.end(bytes))
    t.match(await bare.ask(), { status: 200, whole: false }, why)
    const old = openRaw(bare.proxy.port)
    let reset = false
    old.socket.on('error', () => {
      reset = true
    })
    old.send(`GET /x HTTP/1.0\r\nCookie: ${bare.cookie}\r\n\r\n`)
    await old.ended()
    if (why === 'chunked') t.ok(reset, 'HTTP/1.0, where the end of the connection is the end of the body: reset')
    await bare.close()
  }
})

t.test('Early Hints pass to clients that know them, other interim responses are dropped', async t => {
  const hints = await bareDesk(socket =>
    socket.end(
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ),
  )
  const connection = openRaw(hints.proxy.port)
  connection.send(rawRequest('GET /x HTTP/1.1', [`Cookie: ${hints.cookie}`]))
  await connection.ended()
  const seen = connection.seen().toString()
  t.match(seen, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  t.notMatch(seen, /102/)
  const old = openRaw(hints.proxy.port)
  old.send(`GET /x HTTP/1.0\r\nCookie: ${hints.cookie}\r\n\r\n`)
  await old.ended()
  t.match(old.seen().toString(), /^HTTP\/1\.1 200 OK\r\n/)
  await hints.close()
})

t.test('a 503 of Desk is asked for once and passed on, also to many at once', async t => {
  const before = desk.seen.length
  const body = Buffer.alloc(200_000)
  desk.onRequest((_, response) => response.writeHead(503, { 'Retry-After': '2147483647' }).end(body))
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/503')))
  t.ok(answers.every(answer => answer.status === 503 && answer.body.length === body.length))
  t.equal(desk.seen.length - before, 20)
  desk.onRequest((_, response) => response.end('fine'))
  t.equal((await get('/after')).body.toString(), 'fine')
})

t.test(
  'only a kept-alive connection that Desk closed in silence is tried again, once, and only where that is safe',
  async t => {
    const served = new Map<Socket, number>()
    let mode: 'close' | 'half' = 'close'
    const closing = await bareDesk((socket, seen) => {
      const count = (served.get(socket) ?? 0) + 1
      served.set(socket, count)
      if (count === 1 && !seen.includes('/always'))
        return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      if (mode === 'half') socket.write('HTTP/1.1 2')
      return socket.destroy()
    })
    const total = () => [...served.values()].reduce((sum, count) => sum + count, 0)
    const round = async (line: string, headers: string[] = [], body = '') => {
      await closing.ask()
      const before = total()
      const { status } = await closing.ask(line, body, headers)
      return [status, total() - before]
    }
    t.strictSame(await round('GET /x HTTP/1.1'), [200, 2], 'tried again')
    t.strictSame(await round('DELETE /x HTTP/1.1'), [200, 2])
    t.strictSame(await round('POST /x HTTP/1.1'), [502, 1], 'not idempotent')
    t.strictSame(await round('PUT /x HTTP/1.1', ['Content-Length: 3'], 'abc'), [502, 1], 'has a body')
    t.strictSame(await round('GET /always HTTP/1.1'), [502, 2], 'once')
    mode = 'half'
    t.strictSame(await round('GET /x HTTP/1.1'), [502, 1], 'it had begun to answer')
    await closing.close()
  },
)
