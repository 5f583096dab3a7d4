// What passes through unchanged, and the little that does not.

import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, METHODS } from 'node:http'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
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

const until = async (test: () => boolean) => {
  while (!test()) await new Promise(resolve => setImmediate(resolve))
}

t.test('every method that Node parses passes', async t => {
  desk.onRequest((request, response) => request.on('end', () => response.end(request.method)))
  for (const method of METHODS.filter(method => method !== 'CONNECT' && method !== 'TRACE')) {
    const answer = await get('/m', [], method)
    t.equal(answer.status, 200, method)
    t.equal(desk.last().method, method)
    if (method !== 'HEAD') t.equal(answer.body.toString(), method)
  }
})

t.test('status, phrase and headers come back as Desk sent them', async t => {
  desk.onRequest((_, response) => {
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
  const headers = answer.headers.filter(([name]) => !/^connection$/i.test(name))
  t.match(headers.pop(), ['X-Request-Id', /^[\w-]{22}$/], 'the only one that is added')
  t.strictSame(headers, [
    ['X-Twice', '1'],
    ['X-Twice', '2'],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2; Path=/'],
    ['X-Latin', '\xe9'],
    ['Content-Length', '2'],
    ['Date', 'then'],
    ['ETag', '"x"'],
    ['X-Empty', ''],
  ])
})

t.test("what is the connection's behind us, and the gateway's cookies, do not come back", async t => {
  desk.onRequest((_, response) => {
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
    [desk.url.replace('http:', '').concat('/a?b'), 'https://desk.example.com/a?b'],
    [desk.url.replace('http:', '').concat('.evil/'), desk.url.replace('http:', '').concat('.evil/')],
    ['//elsewhere.example/', '//elsewhere.example/'],
    ['/a', '/a'],
    ['a/b', 'a/b'],
    ['https://elsewhere.example/', 'https://elsewhere.example/'],
    [`${desk.url}.evil/`, `${desk.url}.evil/`],
    [`${desk.url}1/`, `${desk.url}1/`],
    [`https://x/?to=${desk.url}/`, `https://x/?to=${desk.url}/`],
    ['http://[', 'http://['],
  ]
  for (const [sent = '', expected] of cases) {
    desk.onRequest((_, response) => response.writeHead(302, { Location: sent }).end())
    t.strictSame((await get('/r')).all('location'), [expected], sent)
  }
})

t.test("Refresh at Desk's own origin becomes publicUrl's too", async t => {
  const cases: [string, string][] = [
    [`0; url=${desk.url}/next`, `0; url=${proxy.publicUrl}/next`],
    [`5;URL="${desk.url}/next?a=1"`, `5;URL="${proxy.publicUrl}/next?a=1"`],
    [`0, url = '${desk.url}'`, `0, url = '${proxy.publicUrl}'`],
    [`1.5 ; ${desk.url}/x`, `1.5 ; ${proxy.publicUrl}/x`],
    ['0; url=https://other.example.com/x', '0; url=https://other.example.com/x'],
    ['0; url=/next', '0; url=/next'],
    ['30', '30'],
    [`0; url=/x?u=${desk.url}/`, `0; url=/x?u=${desk.url}/`],
  ]
  for (const [sent, arrives] of cases) {
    desk.onRequest((_, response) => response.writeHead(200, { Refresh: sent }).end())
    const answer = await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`]))
    t.strictSame(answer.all('refresh'), [arrives])
  }
})

t.test('so does Location at the Host that Desk was sent, with the scheme or the port of Desk itself', async t => {
  const { port } = new URL(desk.url)
  const upstream = await startProxy({ deskUrl: desk.url, settings: { desk: { host: 'upstream' } } })
  t.teardown(() => upstream.close())
  const { cookie } = await upstream.logIn()
  // Sent by Desk, passed on with the public Host, passed on with Desk's own.
  const cases = [
    ['http://desk.example.com/a?b#c', 'https://desk.example.com/a?b#c', 'http://desk.example.com/a?b#c'],
    [`http://desk.example.com:${port}/a`, 'https://desk.example.com/a', `http://desk.example.com:${port}/a`],
    ['http://DESK.example.com:80/a', 'https://desk.example.com/a', 'http://DESK.example.com:80/a'],
    ['https://desk.example.com/a', 'https://desk.example.com/a', 'https://desk.example.com/a'],
  ]
  const others = [
    `https://desk.example.com:${port}/`,
    'http://desk.example.com:1/',
    'http://www.desk.example.com/',
    `http://desk.example.com:${port}.evil/`,
    'ftp://desk.example.com/',
  ]
  for (const [sent = '', ...expected] of [...cases, ...others.map(other => [other, other, other])]) {
    desk.onRequest((_, response) => response.writeHead(302, { Location: sent }).end())
    const answers = await Promise.all([
      get('/r'),
      sendRaw(upstream.port, rawRequest('GET /r HTTP/1.1', [`Cookie: ${cookie}`])),
    ])
    t.strictSame(
      answers.map(answer => answer.all('location').join()),
      expected,
      sent,
    )
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
    desk.onRequest((_, response) =>
      response.writeHead(200, { 'Content-Type': type, ...(control ? { 'Cache-Control': control } : {}) }).end('x'),
    )
    t.strictSame((await get('/h')).all('cache-control'), expected, type)
    t.strictSame((await get('/open')).all('cache-control'), control ? [control] : [], `${type}, public`)
  }
})

t.test('HEAD, 204, 304, 206 and empty answers are framed as they must be', async t => {
  desk.onRequest((_, response) => response.writeHead(200, { 'Content-Length': '1234' }).end())
  const head = await get('/h', [], 'HEAD')
  t.match(head, { status: 200 })
  t.strictSame(head.all('content-length'), ['1234'])
  desk.onRequest((_, response) => response.writeHead(304, { ETag: '"x"', 'Content-Length': '99' }).end())
  t.match(await get('/h'), { status: 304, whole: true })
  desk.onRequest((_, response) => response.writeHead(204).end())
  const none = await get('/h')
  t.match(none, { status: 204, whole: true })
  t.strictSame([...none.all('content-length'), ...none.all('transfer-encoding')], [])
  desk.onRequest((request, response) =>
    response
      .writeHead(206, { 'Content-Range': 'bytes 0-0/5', 'Content-Length': '1' })
      .end(request.headers.range?.slice(-1)),
  )
  t.match(await get('/h', ['Range: bytes=0-0']), { status: 206, whole: true })
  desk.onRequest((_, response) => response.writeHead(200, { 'Content-Length': '0' }).end())
  t.match(await get('/h'), { status: 200, whole: true })
  const again = openRaw(proxy.port)
  for (const method of ['HEAD', 'GET']) {
    again.send(`${method} /k HTTP/1.1\r\nHost: x\r\n${mine}\r\n\r\n`)
    t.equal((await again.response(method)).status, 200, 'the connection goes on')
  }
  desk.onRequest((_, response) => response.writeHead(304, { ETag: '"x"', 'Content-Length': '99' }).end())
  for (const time of ['first', 'second']) {
    again.send(`GET /k HTTP/1.1\r\nHost: x\r\n${mine}\r\n\r\n`)
    const { status, all } = await again.response('HEAD')
    t.same([status, all('content-length')], [304, ['99']], `the ${time} 304 with the length of its page`)
  }
  again.close()
})

t.test('bodies arrive byte for byte, of any type and framing', async t => {
  desk.onRequest((request, response) => request.on('end', () => response.end()))
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
      t.equal((await sendRaw(proxy.port, Buffer.concat([Buffer.from(head.join('\r\n')), body]))).status, 200)
      t.same(desk.last().body, bytes, `${type}, ${framing}`)
      t.strictSame(desk.last().all('content-type'), [type])
    }
  }
  for (const [line, length] of [
    ['POST', ['0']],
    ['PUT', ['0']],
  ] as const) {
    await sendRaw(proxy.port, rawRequest(`${line} /b HTTP/1.1`, [mine, 'Content-Length: 0']))
    t.strictSame(desk.last().all('content-length'), length)
  }
  await sendRaw(proxy.port, rawRequest('POST /b HTTP/1.1', [mine, 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
  t.match(desk.last(), { complete: true, body: Buffer.alloc(0) })
  const duplicate = '{"a":1,"a":2,"b":12345678901234567890}'
  await sendRaw(
    proxy.port,
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
  desk.onRequest((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => response.writeHead(200, { 'Content-Encoding': 'identity' }).end(Buffer.concat(chunks)))
  })
  for (const framing of [{ 'Content-Length': big.length }, {}]) {
    const back = await new Promise<Buffer>((resolve, reject) => {
      const upload = httpRequest(
        { port: proxy.port, method: 'POST', path: '/big', headers: { Cookie: cookie, ...framing } },
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
  desk.onRequest((_, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(zipped))
  const answer = await get('/z', ['Accept-Encoding: gzip'])
  t.same(answer.body, zipped)
  t.equal(gunzipSync(answer.body).length, 10_000)
})

t.test('trailers of an answer pass, but for those that a head decides by', async t => {
  desk.onRequest((_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' })
    response.write('abc')
    response.addTrailers({ 'X-Sum': '6', 'Set-Cookie': '__Host-deskgate=EVIL' })
    response.end()
  })
  const connection = openRaw(proxy.port)
  connection.send(rawRequest('GET /t HTTP/1.1', [mine]))
  await connection.ended()
  t.match(connection.seen().toString(), /0\r\nX-Sum: 6\r\n\r\n$/)
})

t.test("Host is publicUrl's or that of desk.url, as set", async t => {
  await get('/x')
  t.strictSame(desk.last().all('host'), ['desk.example.com'])
  const upstream = await startProxy({ deskUrl: desk.url, settings: { desk: { host: 'upstream' } } })
  const { cookie } = await upstream.logIn()
  await sendRaw(upstream.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`]))
  t.strictSame(desk.last().all('host'), [desk.url.slice('http://'.length)])
  await upstream.close()
})

t.test('every request is one metric and one line', async t => {
  desk.onRequest((_, response) => response.end())
  const metric = async (outcome: string) => {
    const { body } = await proxy.metrics.text()
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
    const [before, lines] = [await metric(outcome), proxy.lines.length]
    await sendRaw(proxy.port, rawRequest(`GET ${path} HTTP/1.1`, [...headers]))
    await until(() => proxy.lines.length > lines)
    t.equal(await metric(outcome), before + 1, outcome)
    t.match(proxy.lines.at(-1), { msg: 'request', outcome, method: 'GET' })
  }
  t.notMatch(JSON.stringify(proxy.lines), cookie.split('=')[1] ?? '', 'no cookie in the log')
})
