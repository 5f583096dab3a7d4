// A Desk as old programs are: it speaks HTTP/1.0, closes kept connections without a word, sends chunks without a length,
// names its inner address in redirects and sets cookies for other paths. Agents notice nothing.

import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startBareDesk } from '../../../parts/bare-desk.js'
import { freePort } from '../../../parts/ports.js'
import { publicUrl } from '../../../parts/proxy-server.js'

const page = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`

t.test('a Desk that closes each kept connection after its answer', async t => {
  const desk = await startBareDesk((socket, seen) => {
    const body = /^(GET|POST)/.exec(seen)?.[1] ?? ''
    socket.write(`${page('HTTP/1.1 200 OK', 'Connection: keep-alive', `Content-Length: ${body.length}`)}${body}`)
    // Not at once: the gateway may already have sent the next request on it.
    pause(Math.random() * 4).then(() => socket.destroy())
  })
  t.teardown(desk.close)
  for (let round = 0; round < 25; round++) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => desk.ask()))
    for (const { status, body } of answers) t.equal(`${status} ${body}`, '200 GET')
  }
})

t.test('HTTP/1.0, with and without a kept connection', async t => {
  for (const kept of [true, false]) {
    const desk = await startBareDesk(socket => {
      const lines = ['HTTP/1.0 200 OK', 'Content-Type: text/plain']
      if (kept) return void socket.write(`${page(...lines, 'Connection: keep-alive', 'Content-Length: 3')}old`)
      socket.end(`${page(...lines)}old`)
    })
    t.teardown(desk.close)
    for (let round = 0; round < 3; round++) {
      const { status, body, whole } = await desk.ask()
      t.same([status, body.toString(), whole], [200, 'old', true])
    }
  }
})

t.test('chunks without a length, byte by byte', async t => {
  const desk = await startBareDesk(async socket => {
    const bytes = `${page('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n`
    for (const byte of bytes) {
      socket.write(byte)
      await new Promise(setImmediate)
    }
  })
  t.teardown(desk.close)
  const { status, body, whole } = await desk.ask()
  t.same([status, body.toString(), whole], [200, 'abcd', true])
})

t.test('addresses of its own, and a cookie for another path', async t => {
  const port = await freePort()
  const inner = { origin: '' }
  const cookies = ['a=1; Path=/app; HttpOnly', 'b=2; Domain=127.0.0.1; Path=/']
  const desk = await startBareDesk(socket => {
    const lines = [
      'HTTP/1.1 302 Found',
      `Location: ${inner.origin}/tickets/1?a=b#c`,
      `Refresh: 3;url=${inner.origin}/x`,
    ]
    socket.write(page(...lines, ...cookies.map(cookie => `Set-Cookie: ${cookie}`), 'Content-Length: 0'))
  })
  t.teardown(desk.close)
  inner.origin = desk.origin
  const own = await desk.ask()
  t.same(own.all('location'), [`${publicUrl}/tickets/1?a=b#c`])
  t.same(own.all('refresh'), [`3;url=${publicUrl}/x`])
  t.same(own.all('set-cookie'), cookies, 'cookies are as Desk wrote them')
  inner.origin = `http://127.0.0.1:${port}`
  const other = await desk.ask()
  t.same(other.all('location'), [`${inner.origin}/tickets/1?a=b#c`], 'an address of another server is not touched')
})
