// The same bytes to Desk and to the gateway in front of it: what Desk gets is compared, as a request and as a WebSocket
// handshake.

import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { agree, type Recorded, startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, sendRaw } from '../parts/raw-http.js'
import { passing, type RefusedCase, type RequestCase, refused } from './cases.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()

const handshake = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** What the gateway adds, once each; Host and Connection are its own in any case. */
const said = [
  ...['host', 'x-agent-id', 'x-agent-email', 'x-agent-name', 'x-agent-roles', 'x-agent-provider', 'x-agent-assertion'],
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id'],
]
/** Between two neighbours, not between client and Desk. */
const hop = ['host', 'connection', 'upgrade', 'transfer-encoding', 'content-length']

type Way = 'request' | 'handshake'

function bytesOf({ method = 'GET', target = '/x', headers = [], body = '' }: RequestCase | RefusedCase, way: Way) {
  const own = way === 'handshake' ? handshake : ['Connection: close']
  return (cookies: string[]) =>
    [`${method} ${target} HTTP/1.1`, 'Host: desk.test', ...cookies, ...headers, ...own, '', body].join('\r\n')
}

async function arrived(port: number, bytes: string, way: Way): Promise<Recorded> {
  const before = desk.seen.length
  const answer = await sendRaw(port, bytes)
  if (answer.status !== (way === 'handshake' ? 101 : 200)) throw new Error(`answered with ${answer.status}`)
  if (desk.seen.length !== before + 1) throw new Error(`${desk.seen.length - before} requests have arrived`)
  return desk.last()
}

const linesOf = (headers: [string, string][]) => headers.map(([name, value]) => `${name}: ${value}`)
const named = (line: string, names: string[]) => names.includes(line.slice(0, line.indexOf(':')).toLowerCase())

async function compare(t: Test, one: RequestCase, way: Way): Promise<void> {
  const bytes = bytesOf(one, way)
  const direct = await arrived(desk.port, bytes([]), way)
  const through = await arrived(proxy.port, bytes([`Cookie: ${cookie}`]), way)

  t.equal(through.method, direct.method)
  t.equal(through.url, direct.url, 'the target, byte for byte')
  t.same(through.body, direct.body, 'the body, byte for byte')
  const lost = one.lost ?? []
  for (const line of lost) t.ok(linesOf(direct.headers).includes(line), `${line} arrives without a gateway`)
  const kept = linesOf(direct.headers).filter(line => !lost.includes(line) && !named(line, hop))
  const rest = linesOf(through.headers).filter(line => !named(line, [...hop, ...said]))
  t.same(rest, kept, 'the other headers, in their order')
  for (const name of said) t.equal(through.all(name).length, 1, name)
  t.same(through.all('upgrade'), direct.all('upgrade'))
  if (direct.body.length > 0) t.same(through.all('transfer-encoding'), direct.all('transfer-encoding'))
  // RFC 9110 8.6: who sends a request whose method expects a body, and none, says so.
  const unsaid = direct.body.length === 0 && direct.all('content-length').length === 0 ? ['0'] : []
  t.ok([direct.all('content-length'), unsaid].some(length => isDeepStrictEqual(length, through.all('content-length'))))
  t.same([through.all('host'), through.all('x-agent-email')], [['desk.example.com'], ['alice@example.com']])
}

t.before(() => {
  desk.onRequest((request, response) => request.on('end', () => response.end()))
  desk.onUpgrade((request, socket) => agree(request, socket))
})

for (const one of passing) {
  t.test(`request: ${one.name}`, t => compare(t, one, 'request'))
  if (one.http !== 'only') t.test(`handshake: ${one.name}`, t => compare(t, one, 'handshake'))
}

for (const one of refused) {
  for (const way of one.method === undefined ? (['request', 'handshake'] as const) : (['request'] as const)) {
    t.test(`${way}, refused: ${one.name}`, async t => {
      const before = desk.seen.length
      const connection = openRaw(proxy.port)
      connection.send(bytesOf(one, way)([`Cookie: ${cookie}`]))
      t.equal((await connection.response()).status, one.status)
      connection.close()
      t.equal(desk.seen.length, before, 'Desk hears nothing of it')
    })
  }
}
