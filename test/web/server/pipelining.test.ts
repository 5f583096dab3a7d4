// Requests that were sent behind another on one connection, whose turn to be answered never came.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import type { BearerVerdict, Provider } from '../../../src/core/contracts.js'
import { startDesk } from '../../parts/desk.js'
import { startProxy } from '../../parts/proxy-server.js'
import { openRaw } from '../../parts/raw-http.js'
import { until } from '../../parts/wait-until.js'

t.test('Attack: a client that goes away before its turn leaves nothing behind', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { public: ['/open/*'] } } })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  const left: string[] = []
  desk.onRequest((request, response) => {
    response.on('close', () => void left.push(request.url ?? ''))
    // More than fits into what waits for its turn.
    response.write(Buffer.alloc(200_000))
  })
  const raw = openRaw(proxy.port)
  await once(raw.socket, 'connect')
  const paths = ['/open/1', '/open/2', '/3', '/auth/none', '/5']
  raw.socket.pause()
  raw.send(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`).join(''))
  await until(() => desk.seen.length === 4)
  raw.socket.destroy()
  await until(() => left.length === 4)
  t.same(left.sort(), ['/3', '/5', '/open/1', '/open/2'], 'Desk is not kept waiting')
  const lines = () => proxy.lines.filter(({ path }) => paths.includes(String(path)))
  await until(() => lines().length === paths.length)
  t.same(
    lines()
      .map(({ path }) => path)
      .sort(),
    [...paths].sort(),
    'and each request is over, once',
  )
})

t.test('a handshake whose client goes away during authentication is over too', async t => {
  const desk = await startDesk()
  let finishVerify = (_: BearerVerdict) => {}
  let asked = false
  const verify = () =>
    new Promise<BearerVerdict>(resolve => {
      asked = true
      finishVerify = resolve
    })
  const provider = { id: 'portal', type: 'jwt', bearer: { passThrough: false, verify }, close() {} }
  const proxy = await startProxy({ deskUrl: desk.url, providers: () => [provider as unknown as Provider] })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const raw = openRaw(proxy.port)
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  const sockets = new Promise<Socket>(resolve => proxy.app.server.once('connection', resolve))
  raw.send(['GET /ws HTTP/1.1', 'Host: x', 'Authorization: Bearer x', ...lines, key, '', ''].join('\r\n'))
  await until(() => asked)
  raw.socket.resetAndDestroy()
  const socket = await sockets
  await until(() => socket.destroyed)
  const identity = { provider: 'portal', email: 'api@example.com', until: proxy.clock.now() + 1000 }
  finishVerify({ provider: 'portal', checks: [], identity })
  await until(() => proxy.lines.some(({ path }) => path === '/ws'))
  t.match(proxy.lines, [{ path: '/ws', status: 499 }])
  t.equal(desk.seen.length, 0)
})
