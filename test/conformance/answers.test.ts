// The same answer of Desk, byte for byte, to a client at its side and to one before the gateway: what the client gets is
// compared, less what the gateway keeps back.

import t, { type Test } from 'tap'
import { startBareDesk } from '../parts/bare-desk.js'
import { type RawResponse, rawRequest, sendRaw } from '../parts/raw-http.js'

interface AnswerCase {
  name: string
  /** Of the request. */
  method?: string
  /** The whole answer but for the empty line: status line and headers. */
  head: string[]
  body?: string
  /** Header lines that must not come back. */
  lost?: string[]
  /** Header lines that come back in the place of others. */
  changed?: Record<string, string>
  /** Header lines that the gateway adds. */
  added?: string[]
}

const ok = 'HTTP/1.1 200 OK'
const statuses = [
  '201 Created',
  '202 Accepted',
  '203 From memory',
  '205 Reset Content',
  '206 Partial Content',
  '300 Choose',
  '303 See Other',
  '400 Bad',
  '401 Who',
  '402 Pay',
  '403 No',
  '404 Gone?',
  '405 Not so',
  '409 Conflict',
  '410 Gone',
  '418 Teapot',
  '422 No',
  '429 Slow',
  '451 Law',
  '500 Oh',
  '502 Behind',
  '503 Later',
  '507 Full',
  '599 Odd',
]

const cases: AnswerCase[] = [
  ...statuses.map(status => ({ name: status, head: [`HTTP/1.1 ${status}`, 'Content-Length: 2'], body: 'ab' })),
  { name: 'no phrase', head: ['HTTP/1.1 200 ', 'Content-Length: 0'] },
  { name: '204', head: ['HTTP/1.1 204 No Content', 'X-A: 1'] },
  { name: '304', head: ['HTTP/1.1 304 Not Modified', 'ETag: "a"'] },
  { name: 'an answer to HEAD', method: 'HEAD', head: [ok, 'Content-Length: 12345'] },
  { name: 'chunks', head: [ok, 'Transfer-Encoding: chunked'], body: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n' },
  { name: 'chunks with extensions', head: [ok, 'Transfer-Encoding: chunked'], body: '2;a=b\r\nab\r\n0\r\n\r\n' },
  { name: 'nothing', head: [ok, 'Content-Length: 0'] },
  { name: 'a body to the end of the connection', head: [ok, 'Connection: close'], body: 'to the end' },
  { name: 'HTTP/1.0', head: ['HTTP/1.0 200 OK', 'Content-Length: 2'], body: 'ab' },
  { name: 'a range', head: ['HTTP/1.1 206 Part', 'Content-Range: bytes 0-1/9', 'Content-Length: 2'], body: 'ab' },
  { name: 'a coded body', head: [ok, 'Content-Encoding: gzip', 'Content-Length: 3'], body: '\x1f\x8b\x08' },
  { name: 'repeated headers', head: [ok, 'X-A: 1', 'x-a: 2', 'X-B: ', 'X-A: 3', 'Content-Length: 0'] },
  { name: 'bytes above ASCII', head: [ok, 'X-A: caf\xe9\xff', 'Content-Length: 0'] },
  { name: 'odd names', head: [ok, "X!#$%&'*+.^_`|~: 1", 'Content-Length: 0'] },
  { name: "Desk's cookies", head: [ok, 'Set-Cookie: a=1; Path=/', 'Set-Cookie: b="x y"', 'Content-Length: 0'] },
  { name: "Desk's date and server", head: [ok, 'Date: then', 'Server: Desk/1', 'Content-Length: 0'] },
  { name: 'caching', head: [ok, 'Cache-Control: max-age=5', 'Vary: Cookie', 'Age: 3', 'Content-Length: 0'] },
  { name: 'a policy', head: [ok, "Content-Security-Policy: default-src 'self'", 'Content-Length: 0'] },
  { name: 'identity in the answer', head: [ok, 'X-Agent-Email: a@b.c', 'Content-Length: 0'] },
  {
    name: 'sixty kilobytes of headers',
    head: [ok, ...Array.from({ length: 7 }, (_, at) => `X-${at}: ${'y'.repeat(8000)}`), 'Content-Length: 0'],
  },
  {
    name: 'a redirect elsewhere',
    head: ['HTTP/1.1 302 F', 'Location: https://other.example.com/x?y#z', 'Content-Length: 0'],
  },
  { name: 'a redirect by path', head: ['HTTP/1.1 302 F', 'Location: /a/../b', 'Content-Length: 0'] },
  { name: 'a redirect by name', head: ['HTTP/1.1 302 F', 'Location: next', 'Content-Length: 0'] },
  {
    name: 'a redirect to publicUrl',
    head: ['HTTP/1.1 302 F', 'Location: https://desk.example.com/x', 'Content-Length: 0'],
  },
  {
    name: 'hop-by-hop headers',
    head: [
      ok,
      'Keep-Alive: timeout=9',
      'Proxy-Authenticate: Basic',
      'Connection: X-Hop',
      'X-Hop: 1',
      'X-Stays: 1',
      'Content-Length: 0',
    ],
    lost: ['Keep-Alive: timeout=9', 'Proxy-Authenticate: Basic', 'X-Hop: 1'],
  },
  { name: 'an upgrade offered', head: [ok, 'Upgrade: h2c', 'Content-Length: 0'], lost: ['Upgrade: h2c'] },
  ...[
    '__Host-deskgate=x; Path=/',
    '__Secure-deskgate-seen=x; Path=/auth',
    '__Host-deskgate-login.a=x',
    ' __Host-deskgate =x',
    '=__Host-deskgate=x; Path=/',
    '__Host-deskgate=x; Domain=example.com; Path=/',
    '\t__Host-deskgate=x',
    '__Host-deskgate=; Max-Age=0',
  ].map(cookie => ({
    name: `our cookie, ${cookie}`,
    head: [ok, `Set-Cookie: ${cookie}`, 'Set-Cookie: theirs=1', 'Content-Length: 0'],
    lost: [`Set-Cookie: ${cookie.trim()}`],
  })),
  {
    name: 'a page of an agent without a word on caching',
    head: [ok, 'Content-Type: text/html; charset=utf-8', 'Content-Length: 2'],
    body: 'ab',
    added: ['Cache-Control: private'],
  },
  {
    name: 'a script without a word on caching',
    head: [ok, 'Content-Type: text/javascript', 'Content-Length: 2'],
    body: 'ab',
  },
]

/** Between two neighbours: each side has its own. */
const hop = ['connection', 'keep-alive', 'transfer-encoding', 'content-length']

const linesOf = ({ headers }: RawResponse) =>
  headers.filter(([name]) => !hop.includes(name.toLowerCase())).map(([name, value]) => `${name}: ${value}`)

let next = ''
const bare = await startBareDesk((socket, seen) => {
  if (!seen.includes('\r\n\r\n')) return
  socket.end(Buffer.from(next, 'latin1'))
})
t.teardown(bare.close)
const deskPort = Number(new URL(bare.proxy.snapshot.config.desk.url).port)

async function compare(t: Test, one: AnswerCase): Promise<void> {
  next = `${one.head.join('\r\n')}\r\n\r\n${one.body ?? ''}`
  const request = rawRequest(`${one.method ?? 'GET'} /x HTTP/1.1`)
  const direct = await sendRaw(deskPort, request)
  const through = await bare.ask(`${one.method ?? 'GET'} /x HTTP/1.1`)
  const { lost = [], added = [] } = one
  for (const line of lost)
    t.ok(linesOf(direct).includes(line) || /^keep-alive/i.test(line), `${line} comes without a gateway`)
  t.equal(through.status, direct.status)
  if (direct.reason !== '') t.equal(through.reason, direct.reason)
  t.same(through.body, direct.body, 'the body, byte for byte')
  t.equal(through.whole, direct.whole)
  const own = ['date', 'x-request-id', ...added.map(line => line.slice(0, line.indexOf(':')).toLowerCase())]
  const without = linesOf(through).filter(line => !own.includes(line.slice(0, line.indexOf(':')).toLowerCase()))
  const kept = linesOf(direct).filter(line => !lost.includes(line) && !/^date:/i.test(line))
  t.same(without, kept, 'the headers, in their order')
  t.equal(through.all('x-request-id').length, 1)
  for (const line of added) t.ok(linesOf(through).includes(line), line)
  if (direct.all('date').length > 0) t.same(through.all('date'), direct.all('date'))
  if (one.method === 'HEAD') t.same(through.all('content-length'), direct.all('content-length'))
}

for (const one of cases) t.test(`answer: ${one.name}`, t => compare(t, one))

t.test("answer: a redirect to Desk's own address leads to publicUrl", async t => {
  const { port } = new URL(bare.proxy.snapshot.config.desk.url)
  next = `HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:${port}/x?y=1#z\r\nContent-Length: 0\r\n\r\n`
  t.same((await bare.ask()).all('location'), ['https://desk.example.com/x?y=1#z'])
})

const broken: [string, string][] = [
  ['two lengths', `${ok}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
  ['a length and chunks', `${ok}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['status 99', 'HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n'],
  ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ['a header without a colon', `${ok}\r\nnothing\r\n\r\n`],
  ['a NUL in a header', `${ok}\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n`],
  ['no HTTP', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
  ['nothing at all', ''],
  ['a hundred kilobytes of headers', `${ok}\r\n${`X-A: ${'y'.repeat(8000)}\r\n`.repeat(13)}\r\n`],
]
for (const [name, bytes] of broken) {
  t.test(`answer, broken: ${name}`, async t => {
    next = bytes
    const answer = await bare.ask('POST /x HTTP/1.1')
    t.equal(answer.status, 502)
    t.notMatch(answer.body.toString(), /127\.0\.0\.1/, 'no inner address')
  })
}
