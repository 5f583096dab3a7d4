// When an answer of Desk is refused for its head, the log names the header.

import t from 'tap'
import { refusedHeader } from '../../../../src/web/proxy/http/refused-header.js'
import { startBareDesk } from '../../../parts/bare-desk.js'
import { rawRequest, sendRaw } from '../../../parts/raw-http.js'
import { until } from '../../../parts/wait-until.js'

const heads: [header: string, lines: string[]][] = [
  ['Content-Security-Policy', ['Content-Security-Policy: default-src self;', '   img-src self', 'Content-Length: 2']],
  ['X-Long', ['Content-Length: 2', 'X-Long: a', '\tb']],
  ['X-Null', ['X-Null: a\0b', 'Content-Length: 2']],
  ['X-Bell', ['Content-Length: 2', 'X-Bell: \x07']],
  ['X-Del', ['X-Fine: 1', 'X-Del: a\x7fb', 'Content-Length: 2']],
  ['X-Return', ['X-Return: a\rb', 'Content-Length: 2']],
  ['X Name', ['X Name: 1', 'Content-Length: 2']],
  ['X-Space ', ['X-Space : 1', 'Content-Length: 2']],
  ['Content-Length and Transfer-Encoding', ['Content-Length: 2', 'X: 1', 'Transfer-Encoding: chunked']],
  ['Content-Length and Transfer-Encoding', ['Transfer-Encoding: chunked', 'Content-Length: 2']],
  ['Content-Length', ['Content-Length: 2', 'Content-Length: 3']],
  ['Content-Length', ['Content-Length: 2x']],
  ['No colon', ['No colon', 'Content-Length: 2']],
]

t.test('found in a head', async t => {
  for (const [header, lines] of heads) {
    t.equal(refusedHeader(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\nok`), header, lines.join(' | '))
  }
  t.equal(
    refusedHeader('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok\0 : \r\n'),
    undefined,
    'the body is no head',
  )
  t.equal(refusedHeader(''), undefined)
  t.equal(refusedHeader('HTTP/1.1 200 OK\r\n folded\r\n'), undefined)
})

t.test('told in the log, also when the head comes in two packets, and on a kept connection', async t => {
  for (const [header, lines] of heads) {
    let requests = 0
    const desk = await startBareDesk(socket => {
      requests++
      if (requests === 1) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      socket.write(Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\nok`, 'latin1'))
    })
    t.equal((await desk.ask()).status, 200)
    const refused = await desk.ask()
    t.equal(refused.status, 502, lines.join(' | '))
    t.notMatch(refused.body.toString(), header, 'the client learns nothing of it')
    await until(() => desk.proxy.lines.some(line => line.header === header))
    await desk.close()
  }
  const [folded = ''] = heads[0]?.[1] ?? []
  const desk = await startBareDesk(socket => {
    socket.write(`HTTP/1.1 200 OK\r\n${folded}\r\n`)
    setImmediate(() => setImmediate(() => socket.write('  folded\r\nContent-Length: 2\r\n\r\nok')))
  })
  t.equal((await desk.ask()).status, 502)
  await until(() => desk.proxy.lines.some(line => line.header === 'Content-Security-Policy'))
  await desk.close()
})

t.test('a WebSocket handshake that Desk answers so', async t => {
  const desk = await startBareDesk(socket => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Bad: a\r\n b\r\n\r\n',
    )
  })
  t.teardown(desk.close)
  const offer = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  const lines = ['GET /ws HTTP/1.1', 'Host: x', `Cookie: ${desk.cookie}`, 'Connection: Upgrade', ...offer, '', '']
  t.equal((await sendRaw(desk.proxy.port, lines.join('\r\n'))).status, 502)
  await until(() => desk.proxy.lines.some(line => line.header === 'X-Bad'))
})

t.test('a status without content is answered, whatever length it has', async t => {
  for (const [head, status] of [
    ['204 No Content\r\nContent-Length: 20', 204],
    ['204 No Content\r\nContent-Length: 0', 204],
    ['204 No Content\r\nX-Desk: yes\r\nContent-Length: 20\r\nConnection: close', 204],
    ['204 No Content\r\nTransfer-Encoding: chunked', 204],
    ['304 Not Modified\r\nContent-Length: 2000', 304],
    ['304 Not Modified\r\nETag: "a"\r\nContent-Length: 20\r\nConnection: close', 304],
  ] as const) {
    const desk = await startBareDesk(socket => void socket.write(`HTTP/1.1 ${head}\r\n\r\n`))
    for (const method of ['GET', 'DELETE', 'GET']) {
      const answer = await sendRaw(
        desk.proxy.port,
        rawRequest(`${method} /x HTTP/1.1`, [`Cookie: ${desk.cookie}`]),
        method,
      )
      t.equal(answer.status, status, `${method} ${head}`)
      if (status === 204) t.same([...answer.all('content-length'), ...answer.all('transfer-encoding')], [])
    }
    await desk.close()
  }
})
