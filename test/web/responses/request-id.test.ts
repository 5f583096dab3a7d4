// Every response has X-Request-Id, exactly once, whoever makes it: Desk, the gateway, or the parser.

import t, { type Test } from 'tap'
import { startBareDesk } from '../../parts/bare-desk.js'
import { startDesk } from '../../parts/desk.js'
import { startLoginServer } from '../../parts/login-server.js'
import { startProxy } from '../../parts/proxy-server.js'
import { openRaw, type RawResponse, rawRequest, sendRaw } from '../../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url, settings: { limits: { header: '8kb', logins: '100000/m' } } })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()
const session = `Cookie: ${cookie}`
const upgrade = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']

const oneId = (t: Test, response: RawResponse, name: string) => {
  const ids = response.all('x-request-id')
  t.equal(ids.length, 1, name)
  t.match(ids[0], /^[\w-]{22}$/, name)
  return ids[0]
}

const cases: [name: string, status: number, bytes: string][] = [
  ['Desk', 200, rawRequest('GET /x HTTP/1.1', [session])],
  ['a public path', 200, rawRequest('GET /open HTTP/1.1')],
  ['a program without a session', 401, rawRequest('GET /x HTTP/1.1')],
  ['a gateway route', 200, rawRequest('GET /auth/login HTTP/1.1')],
  ['an unknown gateway path', 404, rawRequest('GET /auth/none HTTP/1.1')],
  ['a path that can be read in two ways', 404, rawRequest('GET /auth%2fx HTTP/1.1')],
  ['an unreadable path', 400, rawRequest('GET /a/../b HTTP/1.1')],
  ['TRACE', 405, rawRequest('TRACE /x HTTP/1.1')],
  ['an expectation', 417, rawRequest('GET /x HTTP/1.1', ['Expect: the-moon'])],
  ['a parser error', 400, rawRequest('GET /x HTTP/1.1', ['No colon'])],
  ['too large a head', 431, rawRequest('GET /x HTTP/1.1', [`X-A: ${'y'.repeat(9000)}`])],
]

for (const [name, status, bytes] of cases) {
  t.test(name, async t => {
    const response = await sendRaw(proxy.port, bytes)
    t.equal(response.status, status)
    oneId(t, response, name)
  })
}

t.test('an unreadable request is in the log by its ID', async t => {
  const response = await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', ['No colon']))
  const line = proxy.lines.find(({ request }) => request === response.all('x-request-id')[0])
  t.match(line, { msg: 'unreadable request refused', status: 400, code: /^HPE_/, address: '127.0.0.1' })
})

t.test('handshakes: agreed, refused for want of a session, and for their version', async t => {
  const shake = async (headers: string[]) => {
    const connection = openRaw(proxy.port)
    connection.send(['GET /ws HTTP/1.1', 'Host: x', 'Connection: Upgrade', ...headers, '', ''].join('\r\n'))
    const response = await connection.response()
    connection.close()
    return response
  }
  for (const [status, headers] of [
    [101, [session, ...upgrade]],
    [401, upgrade],
    [426, [session, ...upgrade.map(line => line.replace('13', '12'))]],
  ] as const) {
    const response = await shake([...headers])
    t.equal(response.status, status)
    oneId(t, response, String(status))
  }
})

t.test("Desk's own ID gives way to the one that it was sent and that the log has", async t => {
  let asked = ''
  const bare = await startBareDesk((socket, seen) => {
    asked = /x-request-id: (\S+)/i.exec(seen)?.[1] ?? ''
    socket.end('HTTP/1.1 200 OK\r\nX-Request-Id: of-desk\r\nx-request-id: again\r\nContent-Length: 0\r\n\r\n')
  })
  t.teardown(bare.close)
  const id = oneId(t, await bare.ask(), 'Desk')
  t.equal(id, asked)
  const handshake = await bare.ask('GET /x HTTP/1.1', '', ['Connection: Upgrade', ...upgrade])
  t.equal(handshake.status, 200)
  oneId(t, handshake, 'a Desk that refuses a handshake')
})

t.test('a Desk that does not answer', async t => {
  const bare = await startBareDesk(socket => socket.destroy())
  t.teardown(bare.close)
  const response = await bare.ask('POST /x HTTP/1.1')
  t.equal(response.status, 502)
  const id = oneId(t, response, '502')
  t.ok(bare.proxy.lines.some(({ request, msg }) => request === id && msg === 'Desk response failed'))
})

t.test('the ID of a trusted proxy comes back; an unusable one does not', async t => {
  const trusting = await startProxy({ deskUrl: desk.url, settings: { trustedProxies: ['127.0.0.0/8'] } })
  t.teardown(trusting.close)
  const ask = (id: string) => sendRaw(trusting.port, rawRequest('GET /x HTTP/1.1', [`X-Request-Id: ${id}`]))
  t.same((await ask('abc-1')).all('x-request-id'), ['abc-1'])
  for (const id of ['x'.repeat(129), 'two words', 'a\tb', 'caf\xe9']) oneId(t, await ask(id), id)
  const own = await sendRaw(trusting.port, rawRequest('GET /auth/login HTTP/1.1', ['X-Request-Id: abc-2']))
  t.same(own.all('x-request-id'), ['abc-2'])
})

t.test("the gateway's own pages, redirects and problems", async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const browser = gate.browser()
  for (const path of ['/auth', '/auth/', '/auth/login', '/auth/session', '/auth/none', '/auth/jwks.json', '/x']) {
    t.match((await browser.visit(path)).headers['x-request-id'], /^[\w-]{22}$/, path)
    t.match((await browser.fetch(path)).headers['x-request-id'], /^[\w-]{22}$/, path)
  }
  t.match((await browser.send('/auth/logout', { a: 'x'.repeat(20_000) })).headers['x-request-id'], /^[\w-]{22}$/)
  t.match((await browser.post('/auth/jwt', { jwt: 'x' })).headers['x-request-id'], /^[\w-]{22}$/, 'a refused login')
})
