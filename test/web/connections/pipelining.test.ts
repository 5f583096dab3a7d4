// Requests that were sent behind another on one connection, whose turn to be answered never came.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import type { BearerVerdict, Provider } from '../../../src/core/providers.js'
import { startDesk } from '../../parts/desk.js'
import { startProxy } from '../../parts/proxy-server.js'
import { openRaw } from '../../parts/raw-http.js'
import { settled, until } from '../../parts/wait-until.js'

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
  t.match(
    proxy.lines.filter(({ path }) => path === '/ws'),
    [{ path: '/ws', status: 499 }],
  )
  t.equal(desk.seen.length, 0)
})

t.test('large pipelined responses arrive whole, whenever they are read', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { public: ['/open/*'] } } })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const size = 8_000_000
  desk.onRequest((request, response) => response.end(Buffer.alloc(size, request.url?.at(-1))))
  const raw = openRaw(proxy.port)
  await once(raw.socket, 'connect')
  let bytes = 0
  raw.socket.removeAllListeners('data').pause()
  raw.send('123456'.replace(/\d/g, digit => `GET /open/${digit} HTTP/1.1\r\nHost: x\r\n\r\n`))
  await until(() => desk.seen.length === 6)
  // Each writes while those ahead of it are paused.
  await settled(() => desk.seen.length)
  raw.socket.on('data', chunk => {
    bytes += chunk.length
  })
  raw.socket.resume()
  await until(() => bytes > 6 * size, 60_000)
  t.notOk(
    proxy.lines.some(({ msg }) => String(msg).startsWith('Desk did not')),
    'and none is cut',
  )
  raw.close()
})

t.test('a connection has so many requests in progress, and the next begin when those are over', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({
    deskUrl: desk.url,
    settings: { desk: { public: ['/open/*'] }, limits: { pipelined: 3 } },
  })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const open = new Map<string, ServerResponse>()
  desk.onRequest((request, response) => void open.set(request.url ?? '', response))
  const raw = openRaw(proxy.port)
  const paths = Array.from({ length: 2000 }, (_, i) => `/open/${i}`)
  raw.send(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  await until(() => desk.seen.length === 3)
  await settled(() => desk.seen.length)
  t.equal(desk.seen.length, 3)
  open.get('/open/1')?.end('second')
  await settled(() => desk.seen.length)
  t.equal(desk.seen.length, 3, 'one that waits for its turn to be sent is in progress')
  open.get('/open/0')?.end('first')
  await until(() => desk.seen.length === 5)
  desk.onRequest((request, response) => response.end(request.url))
  for (const path of ['/open/2', '/open/3', '/open/4']) open.get(path)?.end(path)
  for (const path of paths) {
    const { body, status } = await raw.response()
    if (status !== 200) t.equal(status, 200, path)
    if (!['first', 'second'].includes(String(body)) && String(body) !== path) t.equal(String(body), path)
  }
  t.equal(desk.seen.length, paths.length, 'all are answered, in their order')
  raw.close()
})

t.test('bodies of pipelined requests arrive whole, also with one request in progress', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({
    deskUrl: desk.url,
    settings: { desk: { public: ['/open/*'] }, limits: { pipelined: 1 } },
  })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  desk.onRequest((request, response, { url }) => {
    request.on('end', () => response.end(url))
  })
  const raw = openRaw(proxy.port)
  const size = 300_000
  for (let i = 0; i < 5; i++) {
    raw.send(`POST /open/${i} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`)
    raw.send(Buffer.alloc(size, `${i}`))
  }
  for (let i = 0; i < 5; i++) t.equal(String((await raw.response('POST')).body), `/open/${i}`)
  t.same(
    desk.seen.map(({ body }) => body.length),
    [size, size, size, size, size],
  )
  raw.close()
})

t.test('Attack: parsed requests that wait fill the memory', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { public: ['/open/*'] } } })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  desk.onRequest(() => {})
  const few = openRaw(proxy.port)
  few.send('GET /open/1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  const many = Array.from({ length: 12 }, () => openRaw(proxy.port))
  for (const raw of many) raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.replace('/', '/open/2').repeat(2000))
  await Promise.race(many.map(raw => raw.ended()))
  await until(() => proxy.lines.some(({ msg }) => String(msg).includes('pipelined')))
  t.equal(few.socket.destroyed, false, 'one with few requests is not cut')
  for (const raw of [few, ...many]) raw.close()
})

t.test('Attack: an upgrade behind a request that is not answered', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  desk.onRequest(() => {})
  for (const ahead of [1, 20]) {
    const raw = openRaw(proxy.port)
    const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', `Cookie: ${cookie}`]
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    raw.send(`GET /slow HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`.repeat(ahead))
    raw.send(['GET /ws HTTP/1.1', 'Host: x', ...lines, key, '', ''].join('\r\n'))
    await raw.ended()
    t.equal(raw.seen().length, 0, 'nothing can be taken for the response to the first')
  }
})
