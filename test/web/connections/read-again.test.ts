// Raw UTF-8 in the query, which Node's parser refuses, reaches Desk as it was sent, on kept connections and among other
// requests; everything else that the parser refuses stays refused.

import t from 'tap'
import { startBareDesk } from '../../parts/bare-desk.js'
import { openRaw, rawRequest, sendRaw } from '../../parts/raw-http.js'

/** The targets that Desk got: Node's own server would refuse them too. */
const targets: string[] = []
const desk = await startBareDesk((socket, seen) => {
  const [, target = ''] = Buffer.from(seen, 'latin1').toString('utf8').split(' ')
  targets.push(target)
  if (!target.startsWith('/ws')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen')
  else socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
})
const { proxy, cookie } = desk
t.teardown(desk.close)
const bytes = (text: string) => Buffer.from(text, 'utf8')
const latin1 = (text: string) => bytes(text).toString('latin1')
const mine = `Cookie: ${cookie}`

t.test('what arrives is what was sent, byte for byte', async t => {
  const queries = [
    '/fileget?downloadname=Journal+på+sæler.pdf',
    '/s?q=日本語&p=1',
    '/s?emoji=🙂',
    '/s?half=%E6%97%A5本',
    '/s?a=1&ключ=значение?&b',
    '/?é',
  ]
  for (const target of queries) {
    const answer = await sendRaw(proxy.port, bytes(rawRequest(`GET ${target} HTTP/1.1`, [mine])))
    t.match([answer.status, answer.body.toString()], [200, 'seen'], target)
    t.equal(targets.at(-1), target)
  }
  const absolute = bytes(rawRequest('GET https://desk.example.com/s?q=ø HTTP/1.1', [mine]))
  t.equal((await sendRaw(proxy.port, absolute)).status, 200)
  t.equal(targets.at(-1), '/s?q=ø')
})

t.test('with a body, with an offer of h2c, and without a session', async t => {
  const post = bytes(rawRequest('POST /s?q=å HTTP/1.1', [mine, 'Content-Length: 5'], 'hello'))
  t.equal((await sendRaw(proxy.port, post)).status, 200)
  const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']
  const h2c = ['GET /s?h2c=å HTTP/1.1', 'Host: x', mine, ...offer, '', ''].join('\r\n')
  t.equal((await sendRaw(proxy.port, bytes(h2c))).status, 200)
  t.equal(targets.at(-1), '/s?h2c=å')
  const before = targets.length
  t.equal((await sendRaw(proxy.port, bytes(rawRequest('GET /s?q=å HTTP/1.1')))).status, 401)
  t.equal(targets.length, before, 'Desk hears nothing of it')
})

t.test('many on one connection, between others, in one packet and in order', async t => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const connection = openRaw(proxy.port)
  const kept = (target: string) => ['GET ', target, ' HTTP/1.1\r\nHost: x\r\n', mine, '\r\n\r\n'].join('')
  for (let round = 0; round < 30; round++) {
    connection.send(bytes(kept('/plain?1') + kept(`/raw?${round}=é`) + kept('/plain?2')))
    for (let left = 3; left > 0; left--) t.equal((await connection.response()).status, 200)
    t.same(targets.slice(-3), ['/plain?1', `/raw?${round}=é`, '/plain?2'])
  }
  connection.close()
  t.same(warnings, [])
})

t.test('a WebSocket', async t => {
  const handshake = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const lines = ['GET /ws?ø=1 HTTP/1.1', 'Host: x', mine, ...handshake, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  const before = targets.length
  t.equal((await sendRaw(proxy.port, bytes([...lines, '', ''].join('\r\n')))).status, 403)
  t.equal(targets[before], '/ws?ø=1')
})

t.test('what is not UTF-8, and bytes in the path, stay refused', async t => {
  const before = targets.length
  const refused = [
    '/å',
    '/å?q=å',
    latin1('/å?x'),
    '/s?q=\xe5',
    '/s?q=\xc3',
    '/s?q=\xc0\xaf',
    '/s?q=\xed\xa0\x80',
    '/s?q=\xc2\x85',
    `/s?q=${latin1('å')}\x00`,
    `/s?q=${latin1('å')}\x7f`,
    `//evil/s?q=${latin1('å')}`,
    `/a/../s?q=${latin1('å')}`,
  ]
  for (const target of refused) {
    const line = Buffer.from(rawRequest(`GET ${target} HTTP/1.1`, [mine]), 'latin1')
    t.equal((await sendRaw(proxy.port, line)).status, 400, JSON.stringify(target))
  }
  t.equal(targets.length, before)
})

t.test('Attack: a target that an unanswered request leaves for the next one of the connection', async t => {
  for (const extra of [[], ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAA']]) {
    const before = targets.length
    const connection = openRaw(proxy.port)
    connection.send(bytes(rawRequest('GET /evil?é HTTP/1.1', ['Expect: foo', ...extra])))
    t.equal((await connection.response()).status, 417)
    connection.send(bytes(rawRequest('GET /victim HTTP/1.1', [mine])))
    await connection.ended()
    t.same(targets.slice(before), [], 'the connection is over')
  }
})

t.test('Attack: the end of a body, and the query behind it, as one request line', async t => {
  for (const [body, line] of [
    ['PROP', 'PATCH /x?é HTTP/1.1'],
    ['UN', 'LOCK /x?é HTTP/1.1'],
    ['M-', 'SEARCH /x?é HTTP/1.1'],
  ] as const) {
    const before = targets.length
    const connection = openRaw(proxy.port)
    connection.send(
      bytes(`${rawRequest('POST /a HTTP/1.1', [mine, `Content-Length: ${body.length}`], body)}${rawRequest(line)}`),
    )
    await connection.ended()
    t.notOk(
      targets.slice(before).some(target => target.startsWith('/x')),
      line,
    )
  }
})
