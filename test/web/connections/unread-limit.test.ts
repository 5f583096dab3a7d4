// Bytes that clients do not read: counted over all connections, and who is cut first. Real sockets; the checks are moved by hand.

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { createUnreadLimit } from '../../../src/web/connections/unread-limit.js'
import { createTestTimers } from '../../parts/timers.js'
import { settled, until } from '../../parts/wait-until.js'

const megabyte = 1024 * 1024

async function start(t: Test, limit: number) {
  const open = new Map<string, ServerResponse>()
  const upgraded: Socket[] = []
  const server = createServer((request, response) => {
    open.set(request.url ?? '', response)
    response.on('close', () => open.delete(request.url ?? ''))
  })
  server.on('upgrade', (_, socket) => upgraded.push(socket as Socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const lines: { [key: string]: unknown }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const { later: schedule, fire: check } = createTestTimers()
  const unread = createUnreadLimit({ limit: () => limit, openResponses: () => [...open.values()], log, schedule })
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of [...sockets, ...upgraded]) socket.destroy()
    unread.close()
    server.close()
  })
  const send = async (bytes: string) => {
    const socket = connect(port, '127.0.0.1').pause()
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(bytes)
    return socket
  }
  const ask = async (...paths: string[]) => {
    const socket = await send(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    await until(() => paths.every(path => open.has(path)))
    return socket
  }
  /** So many bytes stay here: the kernel takes no more. */
  const fill = async (path: string, bytes: number) => {
    const response = open.get(path) as ServerResponse
    while (response.writableLength < bytes) {
      response.write(Buffer.alloc(bytes - response.writableLength))
      await settled(() => response.writableLength)
    }
  }
  return { open, upgraded, lines, unread, check, send, ask, fill }
}

t.test('those who hold the most are cut, until the others fit', async t => {
  const { open, lines, check, ask, fill } = await start(t, 8 * megabyte)
  for (const path of ['/1', '/2', '/3']) await ask(path)
  await fill('/1', 3 * megabyte)
  await fill('/2', 7 * megabyte)
  await fill('/3', megabyte)
  check()
  await until(() => !open.has('/2'))
  t.same([...open.keys()], ['/1', '/3'])
  t.match(lines, [{ msg: /limits\.unread/, connections: 3, cut: 1 }])
  check()
  t.equal(lines.length, 1)
})

t.test('below the limit nobody is cut', async t => {
  const { open, lines, check, ask, fill } = await start(t, 8 * megabyte)
  await ask('/1')
  await fill('/1', 7 * megabyte)
  for (let i = 0; i < 10; i++) check()
  t.ok(open.has('/1'))
  t.same(lines, [])
})

t.test('one that has not read for long goes before one that holds more', async t => {
  const { open, check, ask, fill } = await start(t, 8 * megabyte)
  await ask('/idle')
  await fill('/idle', 3 * megabyte)
  for (let i = 0; i < 4; i++) check()
  await ask('/new')
  await fill('/new', 7 * megabyte)
  check()
  await until(() => !open.has('/idle'))
  t.ok(open.has('/new'))
})

t.test('pipelined responses count for their connection', async t => {
  const { open, check, ask, fill } = await start(t, 8 * megabyte)
  await ask('/a1', '/a2', '/a3')
  await ask('/b')
  for (const path of ['/a1', '/a2', '/a3']) await fill(path, 2 * megabyte)
  await fill('/b', 3 * megabyte)
  check()
  await until(() => open.get('/a1') === undefined)
  t.ok(open.has('/b'))
})

t.test('WebSockets count too', async t => {
  const { upgraded, open, check, send, ask, fill, unread } = await start(t, 8 * megabyte)
  await send('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await until(() => upgraded.length === 1)
  const [socket] = upgraded as [Socket]
  unread.watch(socket)
  while (socket.writableLength < 6 * megabyte) socket.write(Buffer.alloc(64 * 1024))
  await ask('/1')
  await fill('/1', 3 * megabyte)
  check()
  t.ok(socket.destroyed)
  t.ok(open.has('/1'))
})

t.test('many bytes at once are looked at before the next check', async t => {
  const { open, ask, fill, unread } = await start(t, 2 * megabyte)
  await ask('/1')
  await fill('/1', 3 * megabyte)
  unread.grew(3 * megabyte)
  await until(() => !open.has('/1'))
  t.pass('it was cut')
})
