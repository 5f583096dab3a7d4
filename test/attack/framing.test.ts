// Where one message ends and the next begins is read here once; what two servers in a row could read in two ways gets no
// further, and one request in is at most one request out.

import t from 'tap'
import { startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()

const lines = (...all: string[]) => `${all.join('\r\n')}`
const mine = `Cookie: ${cookie}`
const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'

t.test('smuggling shapes are refused, and the connection is closed', async t => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
  const shapes: { [why: string]: string } = {
    'length and chunked': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Content-Length: 5',
      'Transfer-Encoding: chunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'chunked twice': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: chunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    identity: lines('POST / HTTP/1.1', 'Host: x', mine, 'Transfer-Encoding: identity', '', `0\r\n\r\n${smuggled}`),
    xchunked: lines('POST / HTTP/1.1', 'Host: x', mine, 'Transfer-Encoding: xchunked', '', `0\r\n\r\n${smuggled}`),
    'gzip, chunked': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding: gzip, chunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'chunked, identity': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding: chunked, identity',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'a space before the colon': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding : chunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'a vertical tab': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding: \x0bchunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'chunked in 1.0': lines(
      'POST / HTTP/1.0',
      'Host: x',
      mine,
      'Transfer-Encoding: chunked',
      '',
      `0\r\n\r\n${smuggled}`,
    ),
    'two lengths': lines('POST / HTTP/1.1', 'Host: x', mine, 'Content-Length: 5', 'Content-Length: 6', '', smuggled),
    'the same length twice': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Content-Length: 5',
      'Content-Length: 5',
      '',
      smuggled,
    ),
    'a signed length': lines('POST / HTTP/1.1', 'Host: x', mine, 'Content-Length: +5', '', smuggled),
    'a bare LF': `GET / HTTP/1.1\nHost: x\n${mine}\n\n${smuggled}`,
    'an obs-fold': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A: 1', ' 2', '', smuggled),
    'a NUL in a header': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A: \0', '', smuggled),
    'a bare CR in a header': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A: a\rb', '', smuggled),
    'two hosts': lines('GET / HTTP/1.1', 'Host: x', 'host: y', mine, '', smuggled),
    'no host': lines('GET / HTTP/1.1', mine, '', smuggled),
    'HTTP/2.0 in the line': lines('GET / HTTP/2.0', 'Host: x', mine, '', smuggled),
    'HTTP/1.2': lines('GET / HTTP/1.2', 'Host: x', mine, '', smuggled),
    'a bad chunk size': lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      'Transfer-Encoding: chunked',
      '',
      `5;\nx\r\n12345\r\n0\r\n\r\n${smuggled}`,
    ),
  }
  const post = (header: string, body: string) => lines('POST / HTTP/1.1', 'Host: x', mine, header, '', body)
  for (const length of ['-5', '0x5', '5,5', '5 6', '1e1', '5.0', '', '5\0', '9'.repeat(23), '5\t6']) {
    shapes[`the length ${JSON.stringify(length)}`] = post(`Content-Length: ${length}`, smuggled)
  }
  for (const coding of ['chunked, chunked', '"chunked"', 'chunked;x=1', 'chunked\t', '', ',', ',chunked', 'chunked,']) {
    shapes[`the coding ${JSON.stringify(coding)}`] = post(`Transfer-Encoding: ${coding}`, `0\r\n\r\n${smuggled}`)
    shapes[`the coding ${JSON.stringify(coding)} beside a length`] = lines(
      'POST / HTTP/1.1',
      'Host: x',
      mine,
      `Transfer-Encoding: ${coding}`,
      'Content-Length: 5',
      '',
      `0\r\n\r\n${smuggled}`,
    )
  }
  const chunks = [
    '0x5',
    '-5',
    '+5',
    '5 ',
    '5\t',
    ' 5',
    '10000000000000005',
    '5;a\rb',
    '5;a="\r\n"',
    'g',
    '',
    '5,5',
    '5;\0',
  ]
  for (const size of chunks) {
    shapes[`the chunk size ${JSON.stringify(size)}`] = post(
      'Transfer-Encoding: chunked',
      `${size}\r\n12345\r\n0\r\n\r\n${smuggled}`,
    )
  }
  Object.assign(shapes, {
    'chunks of bare LF': post('Transfer-Encoding: chunked', `5\n12345\n0\n\n${smuggled}`),
    'a chunk longer than its size': post('Transfer-Encoding: chunked', `5\r\n12345XX0\r\n\r\n${smuggled}`),
    'a folded trailer': post('Transfer-Encoding: chunked', `0\r\nX: a\r\n b\r\n\r\n${smuggled}`),
    'framing as a trailer': post('Transfer-Encoding: chunked', `0\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`),
    'a length as a trailer': post('Transfer-Encoding: chunked', `0\r\nContent-Length: 5\r\n\r\n${smuggled}`),
    'an endless chunk extension': post('Transfer-Encoding: chunked', `5;${'a'.repeat(40_000)}\r\n12345\r\n0\r\n\r\n`),
    'a control character in a header': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A: \x01', '', smuggled),
    'a DEL in a header': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A: \x7f', '', smuggled),
    'a name above ASCII': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-\x80: 1', '', smuggled),
    'no name': lines('GET / HTTP/1.1', 'Host: x', mine, ': 1', '', smuggled),
    'a tab before the colon': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A\t: 1', '', smuggled),
    'a header without a colon': lines('GET / HTTP/1.1', 'Host: x', mine, 'X-A', '', smuggled),
    'a first header line that begins with a space': lines('GET / HTTP/1.1', ' Host: x', mine, '', smuggled),
    'a bare CR as the end': `GET / HTTP/1.1\rHost: x\r${mine}\r\r${smuggled}`,
    'HTTP/1.10': lines('GET / HTTP/1.10', 'Host: x', mine, '', smuggled),
    'HTTP/3.0': lines('GET / HTTP/3.0', 'Host: x', mine, '', smuggled),
    'a small http': lines('GET / http/1.1', 'Host: x', mine, '', smuggled),
    'a space behind the version': lines('GET / HTTP/1.1 ', 'Host: x', mine, '', smuggled),
    'a method in small letters': lines('get / HTTP/1.1', 'Host: x', mine, '', smuggled),
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a TLS greeting': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'a line of a PROXY protocol': 'PROXY TCP4 6.6.6.6 127.0.0.1 1 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n',
  })
  for (const [why, bytes] of Object.entries(shapes)) {
    // Node 20 reads a request with an offer twice: it must be as strict both times.
    // Node has dropped a tab behind a value by then, as RFC 9112 5.1 wants it.
    if (why === 'the coding "chunked\\t"') continue
    shapes[`${why}, with an offer of h2c`] = bytes.replace(/\bHost: x\r\n/, `Host: x\r\n${h2c}`)
  }
  for (const [why, bytes] of Object.entries(shapes)) {
    const before = desk.seen.length
    const connection = openRaw(proxy.port)
    connection.send(bytes)
    await connection.ended()
    t.match(connection.seen().toString('latin1'), /^HTTP\/1\.1 400 /, why)
    t.equal(
      desk.seen.slice(before).filter(({ url, complete }) => url === '/smuggled' || complete).length,
      0,
      `${why}: nothing whole reached Desk`,
    )
    connection.close()
  }
})

t.test('Attack: bytes behind a request never become part of the answer to it', async t => {
  desk.onRequest((_, response) => void response.writeHead(200, { 'Content-Length': '1000' }).write('some'))
  for (const version of ['1.0', '1.1']) {
    for (const bytes of [
      'garbage\r\n\r\n',
      'GET / HTTP/1.1\r\nX\r\n\r\n',
      `GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}`,
    ]) {
      const connection = openRaw(proxy.port)
      connection.send(lines(`GET /long HTTP/${version}`, 'Host: x', 'Connection: keep-alive', mine, '', ''))
      await connection.until(seen => seen.includes('some'))
      connection.send(bytes)
      await connection.ended()
      const seen = connection.seen().toString('latin1')
      t.equal(seen.split('HTTP/1.').length, 2, 'one answer')
      t.match(seen, /\r\n\r\nsome$/, 'that is seen not to be whole')
    }
  }
  desk.onRequest((request, response) => request.on('end', () => response.end('hello')))
})

t.test(
  'a body longer than its length: the rest is the next request, with a right of its own, or none at all',
  async t => {
    const connection = openRaw(proxy.port)
    const next = lines('GET /next HTTP/1.1', 'Host: x', 'Connection: close', '', '')
    const before = desk.seen.length
    connection.send(lines('POST /long HTTP/1.1', 'Host: x', mine, 'Content-Length: 3', '', `abc${next}`))
    t.match(await connection.response(), { status: 200 })
    t.match(await connection.response(), { status: 401 })
    t.strictSame(
      desk.seen.slice(before).map(({ url, body }) => [url, body.toString()]),
      [['/long', 'abc']],
    )
    connection.close()
    const broken = openRaw(proxy.port)
    broken.send(lines('POST /long HTTP/1.1', 'Host: x', mine, 'Content-Length: 3', '', 'abcdefgh'))
    await broken.ended()
    t.match(broken.seen().toString('latin1'), /^HTTP\/1\.1 (200 OK|400 Bad Request)\r\n/)
    t.ok(
      desk.seen.slice(before + 1).every(({ body }) => body.toString() === 'abc' || body.length === 0),
      'Desk sees three bytes at most',
    )
  },
)

t.test('100 Continue comes once somebody reads the body, and not before the session check', async t => {
  const expecting = (path: string, headers: string[]) =>
    lines(`POST ${path} HTTP/1.1`, 'Host: x', 'Expect: 100-continue', 'Content-Length: 5', ...headers, '', '')
  for (const [path, headers, status] of [
    ['/x', [], 401],
    ['/x', [`Cookie: __Host-deskgate=${'A'.repeat(43)}`], 401],
    ['/auth/nothing', [], 404],
    ['/x', ['Host: y'], 400],
    ['/x', ['Connection: Upgrade', 'Upgrade: h2c'], 401],
  ] as const) {
    const connection = openRaw(proxy.port)
    connection.send(expecting(path, [...headers]))
    await connection.ended()
    t.match(connection.seen().toString('latin1'), new RegExp(`^HTTP/1\\.1 ${status} `), `${path} ${headers}`)
  }
  for (const extra of ['', 'Connection: Upgrade\r\nUpgrade: h2c\r\n']) {
    for (const [path, own] of [
      ['/x', `${mine}\r\n`],
      ['/open', ''],
    ]) {
      const connection = openRaw(proxy.port)
      connection.send(expecting(`${path}`, [`${own}${extra}X: 1`]))
      await connection.until(seen => seen.toString() === 'HTTP/1.1 100 Continue\r\n\r\n', '100')
      connection.send('hello')
      t.equal((await connection.response()).status, 200)
      t.match([desk.last().url, desk.last().body.toString()], [path, 'hello'])
      connection.close()
    }
  }
  const old = openRaw(proxy.port)
  old.send(lines('POST /x HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 5', mine, '', 'hello'))
  await old.ended()
  t.notMatch(old.seen().toString('latin1'), /100 Continue/, 'HTTP/1.0 knows no interim response')
})

t.test('an expectation that nobody knows is refused', async t => {
  const before = desk.seen.length
  const headers = [mine, 'Expect: 200-ok', 'Content-Length: 0']
  t.equal((await sendRaw(proxy.port, rawRequest('POST / HTTP/1.1', headers))).status, 417)
  t.equal(desk.seen.length, before)
})

t.test('HTTP/0.9 gets nothing', async t => {
  const connection = openRaw(proxy.port)
  connection.send('GET /\r\n\r\n')
  await connection.ended()
  t.match(connection.seen().toString('latin1'), /^HTTP\/1\.1 400 /)
})

t.test('a body is the body, also of a GET: one request in, one out', async t => {
  const inner = 'GET /inner HTTP/1.1\r\nHost: x\r\n\r\n'
  const before = desk.seen.length
  const answer = await sendRaw(
    proxy.port,
    rawRequest('GET /outer HTTP/1.1', [mine, `Content-Length: ${inner.length}`], inner),
  )
  t.equal(answer.status, 200)
  t.strictSame(
    desk.seen.slice(before).map(({ url, body }) => [url, body.toString()]),
    [['/outer', inner]],
  )
  for (const header of ['Connection: Content-Length', 'Connection: Transfer-Encoding, X']) {
    const at = desk.seen.length
    await sendRaw(
      proxy.port,
      lines(
        'POST /outer HTTP/1.1',
        'Host: x',
        mine,
        header,
        'Connection: close',
        `Content-Length: ${inner.length}`,
        '',
        inner,
      ),
    )
    t.strictSame(
      desk.seen.slice(at).map(({ url, body }) => [url, body.toString()]),
      [['/outer', inner]],
    )
    t.strictSame(desk.last().all('content-length'), [String(inner.length)])
  }
})

t.test('pipelined requests are answered in order, each by its own right', async t => {
  const connection = openRaw(proxy.port)
  const other = await proxy.logIn({ email: 'bob@example.com', id: '8' })
  desk.onRequest((request, response) => response.end(String(request.headers['x-agent-email'])))
  connection.send(
    lines('GET /1 HTTP/1.1', 'Host: x', mine, '', '') +
      lines('GET /2 HTTP/1.1', 'Host: x', '', '') +
      lines('GET /3 HTTP/1.1', 'Host: x', `Cookie: ${other.cookie}`, '', ''),
  )
  t.equal((await connection.response()).body.toString(), 'alice@example.com')
  t.equal((await connection.response()).status, 401)
  t.equal((await connection.response()).body.toString(), 'bob@example.com')
  connection.close()
})

t.test('trailers of a request are dropped', async t => {
  desk.onRequest((request, response) => request.on('end', () => response.end()))
  await sendRaw(
    proxy.port,
    rawRequest(
      'POST /t HTTP/1.1',
      [mine, 'Transfer-Encoding: chunked', 'Trailer: X-Agent-Email'],
      '3\r\nabc\r\n0\r\nX-Agent-Email: evil@example.com\r\n\r\n',
    ),
  )
  t.equal(desk.last().body.toString(), 'abc')
  t.strictSame(desk.last().trailers, [])
  t.strictSame(desk.last().all('trailer'), [])
})

t.test('HTTP/1.0 clients are served, with the same right', async t => {
  desk.onRequest((_, response) => {
    response.write('one,')
    response.end('two')
  })
  const connection = openRaw(proxy.port)
  connection.send(lines('GET /old HTTP/1.0', mine, '', ''))
  const answer = await connection.response()
  t.equal(answer.status, 200)
  t.equal(answer.body.toString(), 'one,two')
  t.strictSame(answer.all('transfer-encoding'), [])
  t.equal((await sendRaw(proxy.port, lines('GET /old HTTP/1.0', '', ''))).status, 401)
})

t.test('a body shorter than its length never becomes a whole request', async t => {
  const before = desk.seen.length
  const connection = openRaw(proxy.port)
  connection.send(lines('POST /short HTTP/1.1', 'Host: x', mine, 'Content-Length: 100', '', 'half'))
  await new Promise<void>(resolve => {
    desk.onRequest(request => request.once('data', () => resolve()))
  })
  connection.socket.end()
  connection.close()
  const got = desk.seen[before]
  await proxy.sessions.list('all')
  t.equal(got?.complete, false)
})
