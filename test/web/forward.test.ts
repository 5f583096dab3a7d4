import { createHash, randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { request as httpRequest, METHODS } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { startDesk } from '../parts/desk.js'
import { openRaw, rawRequest, sendRaw } from '../parts/raw-http.js'
import { startStreet } from '../parts/street.js'

const desk = await startDesk()
const street = await startStreet({ deskUrl: desk.url })
t.teardown(async () => {
  await street.close()
  await desk.close()
})
const { cookie } = await street.enter()
const mine = `Cookie: ${cookie}`
const get = (path: string, headers: string[] = [], method = 'GET') =>
  sendRaw(street.port, rawRequest(`${method} ${path} HTTP/1.1`, [mine, ...headers]))

/** A Desk of bare bytes: each connection gets what `serve` does with it. */
async function bareDesk(serve: (socket: Socket, seen: string) => void, settings: { [key: string]: unknown } = {}) {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => serve(socket, chunk.toString('latin1')))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const street = await startStreet({ deskUrl: `http://127.0.0.1:${port}`, settings })
  const { cookie } = await street.enter()
  return {
    street,
    sockets,
    ask: (line = 'GET /x HTTP/1.1', body = '', headers: string[] = []) =>
      sendRaw(street.port, rawRequest(line, [`Cookie: ${cookie}`, ...headers], body)),
    cookie,
    async close() {
      await street.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const until = async (test: () => boolean) => {
  while (!test()) await new Promise(resolve => setImmediate(resolve))
}

t.test('every method that Node parses passes', async t => {
  desk.answer((request, response) => request.on('end', () => response.end(request.method)))
  for (const method of METHODS.filter(method => method !== 'CONNECT')) {
    const answer = await get('/m', [], method)
    t.equal(answer.status, 200, method)
    t.equal(desk.last().method, method)
    if (method !== 'HEAD') t.equal(answer.body.toString(), method)
  }
})

t.test('status, phrase and headers come back as Desk sent them', async t => {
  desk.answer((_, response) => {
    response.writeHead(418, 'Short & stout', [
      'X-Twice',
      '1',
      'X-Twice',
      '2',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2; Path=/',
      'X-Latin',
      '\xe9',
      'Content-Length',
      '2',
      'Date',
      'then',
      'ETag',
      '"x"',
      'X-Empty',
      '',
    ])
    response.end(Buffer.from('ok'))
  })
  const answer = await get('/s')
  t.match(answer, { status: 418, reason: 'Short & stout', whole: true })
  t.equal(answer.body.toString(), 'ok')
  t.strictSame(
    answer.headers.filter(([name]) => !/^connection$/i.test(name)),
    [
      ['X-Twice', '1'],
      ['X-Twice', '2'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2; Path=/'],
      ['X-Latin', '\xe9'],
      ['Content-Length', '2'],
      ['Date', 'then'],
      ['ETag', '"x"'],
      ['X-Empty', ''],
    ],
  )
})

t.test("what is the connection's behind us, and the gateway's cookies, do not come back", async t => {
  desk.answer((_, response) => {
    response.writeHead(200, [
      'Connection',
      'X-Hop, Content-Length',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=99',
      'Proxy-Authenticate',
      'Basic',
      'Proxy-Connection',
      'x',
      'Upgrade',
      'h2c',
      'TE',
      'x',
      'Set-Cookie',
      '__Host-deskgate=EVIL; Path=/; Secure',
      'set-cookie',
      ' __Host-deskgate-login.x =1',
      'Set-Cookie',
      '__Secure-deskgate-seen=1',
      'Set-Cookie',
      'ok=1',
      'Content-Length',
      '2',
    ])
    response.end('ok')
  })
  const answer = await get('/s')
  for (const name of ['x-hop', 'keep-alive', 'proxy-authenticate', 'proxy-connection', 'upgrade', 'te'])
    t.strictSame(answer.all(name), [], name)
  t.strictSame(answer.all('set-cookie'), ['ok=1'])
  t.strictSame(answer.all('content-length'), ['2'])
})

t.test("Location at Desk's own origin becomes publicUrl's, every other stays", async t => {
  const cases = [
    [`${desk.url}/a?b#c`, 'https://desk.example.com/a?b#c'],
    [desk.url, 'https://desk.example.com'],
    [`${desk.url}?x`, 'https://desk.example.com?x'],
    [desk.url.replace('http', 'HTTP').concat('/A'), 'https://desk.example.com/A'],
    ['/a', '/a'],
    ['a/b', 'a/b'],
    ['https://elsewhere.example/', 'https://elsewhere.example/'],
    [`${desk.url}.evil/`, `${desk.url}.evil/`],
    [`${desk.url}1/`, `${desk.url}1/`],
    [`https://x/?to=${desk.url}/`, `https://x/?to=${desk.url}/`],
    ['http://[', 'http://['],
  ]
  for (const [sent = '', expected] of cases) {
    desk.answer((_, response) => response.writeHead(302, { Location: sent }).end())
    t.strictSame((await get('/r')).all('location'), [expected], sent)
  }
})

t.test('authenticated HTML without Cache-Control is private; all else stays as it is', async t => {
  const cases: [string, string | undefined, string[]][] = [
    ['text/html', undefined, ['private']],
    ['Text/HTML; charset=utf-8', undefined, ['private']],
    ['text/html', 'public, max-age=9', ['public, max-age=9']],
    ['text/css', undefined, []],
    ['text/htmlx', undefined, []],
  ]
  for (const [type, control, expected] of cases) {
    desk.answer((_, response) =>
      response.writeHead(200, { 'Content-Type': type, ...(control ? { 'Cache-Control': control } : {}) }).end('x'),
    )
    t.strictSame((await get('/h')).all('cache-control'), expected, type)
    t.strictSame((await get('/open')).all('cache-control'), control ? [control] : [], `${type}, public`)
  }
})

t.test('HEAD, 204, 304, 206 and empty answers are framed as they must be', async t => {
  desk.answer((_, response) => response.writeHead(200, { 'Content-Length': '1234' }).end())
  const head = await get('/h', [], 'HEAD')
  t.match(head, { status: 200 })
  t.strictSame(head.all('content-length'), ['1234'])
  desk.answer((_, response) => response.writeHead(304, { ETag: '"x"', 'Content-Length': '99' }).end())
  t.match(await get('/h'), { status: 304, whole: true })
  desk.answer((_, response) => response.writeHead(204).end())
  const none = await get('/h')
  t.match(none, { status: 204, whole: true })
  t.strictSame([...none.all('content-length'), ...none.all('transfer-encoding')], [])
  desk.answer((request, response) =>
    response
      .writeHead(206, { 'Content-Range': 'bytes 0-0/5', 'Content-Length': '1' })
      .end(request.headers.range?.slice(-1)),
  )
  t.match(await get('/h', ['Range: bytes=0-0']), { status: 206, whole: true })
  desk.answer((_, response) => response.writeHead(200, { 'Content-Length': '0' }).end())
  t.match(await get('/h'), { status: 200, whole: true })
  const again = openRaw(street.port)
  for (const method of ['HEAD', 'GET']) {
    again.send(`${method} /k HTTP/1.1\r\nHost: x\r\n${mine}\r\n\r\n`)
    t.equal((await again.answer(method)).status, 200, 'the connection goes on')
  }
  again.close()
})

t.test('bodies arrive byte for byte, of any type and framing', async t => {
  desk.answer((request, response) => request.on('end', () => response.end()))
  const bytes = Buffer.from([0x61, 0xe9, 0xff, 0x62, 0, 13, 10])
  const types = [
    'text/plain',
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'nonsense',
  ]
  for (const type of types) {
    for (const framing of ['length', 'chunked']) {
      const head = [
        'POST /b HTTP/1.1',
        'Host: x',
        mine,
        `Content-Type: ${type}`,
        framing === 'length' ? 'Content-Length: 7' : 'Transfer-Encoding: chunked',
        'Connection: close',
        '',
        '',
      ]
      const body =
        framing === 'length' ? bytes : Buffer.concat([Buffer.from('7\r\n'), bytes, Buffer.from('\r\n0\r\n\r\n')])
      t.equal((await sendRaw(street.port, Buffer.concat([Buffer.from(head.join('\r\n')), body]))).status, 200)
      t.same(desk.last().body, bytes, `${type}, ${framing}`)
      t.strictSame(desk.last().all('content-type'), [type])
    }
  }
  for (const [line, length] of [
    ['POST', ['0']],
    ['PUT', ['0']],
  ] as const) {
    await sendRaw(street.port, rawRequest(`${line} /b HTTP/1.1`, [mine, 'Content-Length: 0']))
    t.strictSame(desk.last().all('content-length'), length)
  }
  await sendRaw(street.port, rawRequest('POST /b HTTP/1.1', [mine, 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
  t.match(desk.last(), { complete: true, body: Buffer.alloc(0) })
  const duplicate = '{"a":1,"a":2,"b":12345678901234567890}'
  await sendRaw(
    street.port,
    rawRequest(
      'POST /b HTTP/1.1',
      [mine, 'Content-Type: application/json', `Content-Length: ${duplicate.length}`],
      duplicate,
    ),
  )
  t.equal(desk.last().body.toString(), duplicate)
})

t.test('megabytes pass both ways unchanged, compressed as they came', async t => {
  const big = randomBytes(6 * 1024 * 1024)
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  desk.answer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => response.writeHead(200, { 'Content-Encoding': 'identity' }).end(Buffer.concat(chunks)))
  })
  for (const framing of [{ 'Content-Length': big.length }, {}]) {
    const back = await new Promise<Buffer>((resolve, reject) => {
      const upload = httpRequest(
        { port: street.port, method: 'POST', path: '/big', headers: { Cookie: cookie, ...framing } },
        answer => {
          const chunks: Buffer[] = []
          answer.on('data', chunk => chunks.push(chunk))
          answer.on('end', () => resolve(Buffer.concat(chunks)))
        },
      )
      upload.on('error', reject)
      for (let at = 0; at < big.length; at += 100_000) upload.write(big.subarray(at, at + 100_000))
      upload.end()
    })
    t.equal(hash(back), hash(big))
  }
  const zipped = gzipSync('x'.repeat(10_000))
  desk.answer((_, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(zipped))
  const answer = await get('/z', ['Accept-Encoding: gzip'])
  t.same(answer.body, zipped)
  t.equal(gunzipSync(answer.body).length, 10_000)
})

t.test('server-sent events arrive one by one, and the head before the first', async t => {
  let stream: ServerResponse | undefined
  desk.answer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    stream = response
  })
  const connection = openRaw(street.port)
  connection.send(rawRequest('GET /events HTTP/1.1', [mine]))
  await connection.until(seen => seen.includes('text/event-stream'), 'head')
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    stream?.write(event)
    await connection.until(seen => seen.includes(event), event)
  }
  t.pass('each before the next was sent')
  connection.close()
})

t.test('a client that goes away cancels the work at Desk', async t => {
  for (const begun of ['before the head', 'in the middle']) {
    const before = desk.seen.length
    desk.answer((_, response) => {
      if (begun === 'in the middle') response.write('some')
    })
    const connection = openRaw(street.port)
    connection.send(rawRequest('GET /slow HTTP/1.1', [mine]))
    await until(() => desk.seen.length > before)
    if (begun === 'in the middle') await connection.until(seen => seen.includes('some'))
    connection.close()
    await until(() => desk.seen[before]?.aborted === true)
    t.pass(begun)
  }
  const before = desk.seen.length
  desk.answer(() => {})
  const upload = openRaw(street.port)
  upload.send(`POST /up HTTP/1.1\r\nHost: x\r\n${mine}\r\nContent-Length: 1000\r\n\r\nhalf`)
  await until(() => desk.seen.length > before)
  upload.close()
  await until(() => desk.seen[before]?.aborted === true)
  t.equal(desk.seen[before]?.complete, false, 'half an upload is no upload')
})

t.test('backpressure holds both ways', async t => {
  const chunk = Buffer.alloc(64 * 1024)
  let sent = 0
  desk.answer((_, response) => {
    const pump = () => {
      do sent += chunk.length
      while (sent < 1e9 && response.write(chunk))
    }
    response.on('drain', pump)
    pump()
  })
  const lazy = openRaw(street.port)
  lazy.socket.pause()
  lazy.send(rawRequest('GET /down HTTP/1.1', [mine]))
  await settled(() => sent)
  t.ok(sent > 0 && sent < 60e6, `Desk could send ${sent} bytes to a client that does not read`)
  lazy.close()

  const deaf = await bareDesk(socket => socket.pause())
  const eager = openRaw(deaf.street.port)
  let written = 0
  eager.send(`POST /up HTTP/1.1\r\nHost: x\r\nCookie: ${deaf.cookie}\r\nContent-Length: 1000000000\r\n\r\n`)
  const push = () => {
    do written += chunk.length
    while (written < 1e9 && eager.socket.write(chunk))
  }
  eager.socket.on('drain', push)
  push()
  await settled(() => written)
  t.ok(written < 60e6, `a client could send ${written} bytes to a Desk that does not read`)
  eager.close()
  await deaf.close()
})

t.test('an answer before the end of the upload arrives whole', async t => {
  desk.answer((_, response) => response.writeHead(413, { 'Content-Length': '3' }).end('big'))
  const connection = openRaw(street.port)
  connection.send(`POST /up HTTP/1.1\r\nHost: x\r\n${mine}\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(1000)}`)
  t.match(await connection.answer(), { status: 413, whole: true })
  connection.send('x'.repeat(299_000))
  desk.answer((_, response) => response.end('next'))
  connection.send(`GET /next HTTP/1.1\r\nHost: x\r\n${mine}\r\n\r\n`)
  t.equal((await connection.answer()).body.toString(), 'next', 'what was left over was dropped, the connection goes on')
  connection.close()
})

t.test('a client that sends on and on after an answer is cut off', async t => {
  const connection = openRaw(street.port)
  connection.send('POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n')
  t.equal((await connection.answer()).status, 401)
  const chunk = Buffer.alloc(64 * 1024)
  const push = () => {
    while (!connection.socket.destroyed && connection.socket.write(chunk));
  }
  connection.socket.on('drain', push)
  push()
  await connection.ended()
  t.pass('closed')
})

t.test('Desk down is 502, in silence about where it is', async t => {
  const down = await startDesk()
  const { url } = down
  await down.close()
  const street = await startStreet({ deskUrl: url })
  const { cookie } = await street.enter()
  for (const line of ['GET /x HTTP/1.1', 'POST /x HTTP/1.1']) {
    const answer = await sendRaw(street.port, rawRequest(line, [`Cookie: ${cookie}`, 'Content-Length: 3'], 'abc'))
    t.equal(answer.status, 502)
    t.notMatch(JSON.stringify(answer) + answer.body, /127\.0\.0\.1|ECONN/)
  }
  t.match(street.lines.at(-1), { outcome: 'upstream_error', status: 502 })
  await street.close()
})

t.test('a slow Desk is 504, a slow body is not', async t => {
  const slow = await bareDesk(
    (socket, seen) => {
      if (seen.includes('/body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na')
    },
    { desk: { timeout: '200ms' } },
  )
  t.equal((await slow.ask()).status, 504)
  const connection = openRaw(slow.street.port)
  connection.send(rawRequest('GET /body HTTP/1.1', [`Cookie: ${slow.cookie}`]))
  await connection.until(seen => seen.includes('\r\n\r\na'))
  await new Promise(resolve => setTimeout(resolve, 400))
  slow.sockets.at(-1)?.write('b')
  t.match(await connection.answer(), { status: 200, whole: true })
  await slow.close()
})

t.test('what Desk sends that is no HTTP becomes 502', async t => {
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
    const old = openRaw(bare.street.port)
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

t.test('Early Hints pass to those who know them, other interim answers end here', async t => {
  const hints = await bareDesk(socket =>
    socket.end(
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ),
  )
  const connection = openRaw(hints.street.port)
  connection.send(rawRequest('GET /x HTTP/1.1', [`Cookie: ${hints.cookie}`]))
  await connection.ended()
  const seen = connection.seen().toString()
  t.match(seen, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  t.notMatch(seen, /102/)
  const old = openRaw(hints.street.port)
  old.send(`GET /x HTTP/1.0\r\nCookie: ${hints.cookie}\r\n\r\n`)
  await old.ended()
  t.match(old.seen().toString(), /^HTTP\/1\.1 200 OK\r\n/)
  await hints.close()
})

t.test('trailers of an answer pass, but for those that a head decides by', async t => {
  desk.answer((_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' })
    response.write('abc')
    response.addTrailers({ 'X-Sum': '6', 'Set-Cookie': '__Host-deskgate=EVIL' })
    response.end()
  })
  const connection = openRaw(street.port)
  connection.send(rawRequest('GET /t HTTP/1.1', [mine]))
  await connection.ended()
  t.match(connection.seen().toString(), /0\r\nX-Sum: 6\r\n\r\n$/)
})

t.test('a 503 of Desk is asked for once and passed on, also to many at once', async t => {
  const before = desk.seen.length
  const body = Buffer.alloc(200_000)
  desk.answer((_, response) => response.writeHead(503, { 'Retry-After': '2147483647' }).end(body))
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/503')))
  t.ok(answers.every(answer => answer.status === 503 && answer.body.length === body.length))
  t.equal(desk.seen.length - before, 20)
  desk.answer((_, response) => response.end('fine'))
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

t.test("Host is publicUrl's or that of desk.url, as set", async t => {
  await get('/x')
  t.strictSame(desk.last().all('host'), ['desk.example.com'])
  const upstream = await startStreet({ deskUrl: desk.url, settings: { desk: { host: 'upstream' } } })
  const { cookie } = await upstream.enter()
  await sendRaw(upstream.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`]))
  t.strictSame(desk.last().all('host'), [desk.url.slice('http://'.length)])
  await upstream.close()
})

t.test('every request is one metric and one line', async t => {
  desk.answer((_, response) => response.end())
  const metric = async (outcome: string) => {
    const { body } = await street.metrics.text()
    return Number(new RegExp(`requests_total\\{outcome="${outcome}"\\} (\\d+)`).exec(body)?.[1] ?? 0)
  }
  for (const [path, headers, outcome] of [
    ['/x', [mine], 'proxied'],
    ['/open', [mine], 'public'],
    ['/x', [], 'unauthorized'],
    ['/../x', [], 'bad_request'],
    ['/auth/login', [], 'own'],
    ['/auth/nope', [], 'own'],
  ] as const) {
    const [before, lines] = [await metric(outcome), street.lines.length]
    await sendRaw(street.port, rawRequest(`GET ${path} HTTP/1.1`, [...headers]))
    await until(() => street.lines.length > lines)
    t.equal(await metric(outcome), before + 1, outcome)
    t.match(street.lines.at(-1), { msg: 'request', outcome, method: 'GET' })
  }
  t.notMatch(JSON.stringify(street.lines), cookie.split('=')[1] ?? '', 'no cookie in the log')
})

/** The number when it has stopped growing. */
async function settled(count: () => number): Promise<void> {
  let last = -1
  while (count() !== last) {
    last = count()
    await new Promise(resolve => setTimeout(resolve, 150))
  }
}
