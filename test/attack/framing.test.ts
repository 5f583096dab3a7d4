// Where one message ends and the next begins is read here once; what two servers in a row could read in two ways gets no
// further, and one request in is at most one request out.

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

const lines = (...all: string[]) => `${all.join('\r\n')}`
const mine = `Cookie: ${cookie}`

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
  for (const [why, bytes] of Object.entries(shapes)) {
    const before = desk.seen.length
    const connection = openRaw(street.port)
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

t.test('HTTP/0.9 gets nothing', async t => {
  const connection = openRaw(street.port)
  connection.send('GET /\r\n\r\n')
  await connection.ended()
  t.match(connection.seen().toString('latin1'), /^HTTP\/1\.1 400 /)
})

t.test('a body is the body, also of a GET: one request in, one out', async t => {
  const inner = 'GET /inner HTTP/1.1\r\nHost: x\r\n\r\n'
  const before = desk.seen.length
  const answer = await sendRaw(
    street.port,
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
      street.port,
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
  const connection = openRaw(street.port)
  const other = await street.enter({ email: 'bob@example.com', id: '8' })
  desk.answer((request, response) => response.end(String(request.headers['x-agent-email'])))
  connection.send(
    lines('GET /1 HTTP/1.1', 'Host: x', mine, '', '') +
      lines('GET /2 HTTP/1.1', 'Host: x', '', '') +
      lines('GET /3 HTTP/1.1', 'Host: x', `Cookie: ${other.cookie}`, '', ''),
  )
  t.equal((await connection.answer()).body.toString(), 'alice@example.com')
  t.equal((await connection.answer()).status, 401)
  t.equal((await connection.answer()).body.toString(), 'bob@example.com')
  connection.close()
})

t.test('trailers of a request are dropped', async t => {
  desk.answer((request, response) => request.on('end', () => response.end()))
  await sendRaw(
    street.port,
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
  desk.answer((_, response) => {
    response.write('one,')
    response.end('two')
  })
  const connection = openRaw(street.port)
  connection.send(lines('GET /old HTTP/1.0', mine, '', ''))
  const answer = await connection.answer()
  t.equal(answer.status, 200)
  t.equal(answer.body.toString(), 'one,two')
  t.strictSame(answer.all('transfer-encoding'), [])
  t.equal((await sendRaw(street.port, lines('GET /old HTTP/1.0', '', ''))).status, 401)
})

t.test('a body shorter than its length never becomes a whole request', async t => {
  const before = desk.seen.length
  const connection = openRaw(street.port)
  connection.send(lines('POST /short HTTP/1.1', 'Host: x', mine, 'Content-Length: 100', '', 'half'))
  await new Promise<void>(resolve => {
    desk.answer(request => request.once('data', () => resolve()))
  })
  connection.socket.end()
  connection.close()
  const got = desk.seen[before]
  await street.sessions.list('all')
  t.equal(got?.complete, false)
})
