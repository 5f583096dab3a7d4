// What clients that send hundreds of requests at once cost those beside them: one read of one of them, not of each.

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { createPipelining } from '../../../src/web/connections/pipelining.js'
import { rsaPair } from '../../parts/configuration.js'
import { until } from '../../parts/wait-until.js'

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const flood = request('/flood')
/** Node reads 64 kB at once; fewer than 64 may have come from a read before it. */
const oneRead = Math.ceil(65_536 / flood.length) + 64
const { key, certificate } = rsaPair(Date.UTC(2035, 0, 1))

/** A server with requests counted for each turn of the event loop, and its port. */
async function startServer(t: Test, { tls }: { tls: boolean }) {
  const begin: RequestListener = (request, response) => void response.end(`<${request.url}>`)
  const pipelining = createPipelining({ most: () => 8, begin })
  const server = tls ? createTlsServer({ key, cert: certificate }, pipelining.take) : createServer(pipelining.take)
  pipelining.watch(server)
  const parsed: string[][] = [[]]
  server.prependListener('request', ({ url }) => void parsed.at(-1)?.push(String(url)))
  let open = true
  const nextTurn = () => {
    if (parsed.at(-1)?.length) parsed.push([])
    if (open) setImmediate(nextTurn)
  }
  nextTurn()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    open = false
    server.close().closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const join = async () => {
    const socket: Socket = tls ? connectTls({ port, rejectUnauthorized: false }) : connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', chunk => {
      seen += chunk
    })
    await once(socket, tls ? 'secureConnect' : 'connect')
    t.teardown(() => socket.destroy())
    return { socket, answers: () => seen.split('</').length - 1 }
  }
  return { server, parsed, join }
}

for (const { how, tls, inTurn } of [
  { how: 'in the clear', tls: false, inTurn: oneRead },
  // The records of the read before are decrypted in the turn of the next.
  { how: 'over TLS', tls: true, inTurn: 2 * oneRead },
]) {
  t.test(`Attack: eight clients with 2,000 pipelined requests each, ${how}`, async t => {
    const { parsed, join } = await startServer(t, { tls })
    const agent = await join()
    agent.socket.write(request('/agent/1'))
    await until(() => agent.answers() === 1)
    const clients = await Promise.all(Array.from({ length: 8 }, join))
    for (const { socket } of clients) socket.write(flood.repeat(2000))
    agent.socket.write(request('/agent/2'))
    await until(() => agent.answers() === 2)
    const before = parsed.flat().filter(url => url === '/flood').length
    t.ok(before <= 5 * oneRead, `${before} requests were read before that of the agent`)
    await until(() => clients.every(({ answers }) => answers() === 2000))
    const most = Math.max(...parsed.map(({ length }) => length))
    t.ok(most <= inTurn, `${most} requests were read in one turn`)
    t.ok(most >= 64)
  })
}

t.test('a socket that was paused stays so, and one that ends in its turn leaves nothing behind', async t => {
  const { parsed, join } = await startServer(t, { tls: false })
  const [flooding, leaving] = [await join(), await join()]
  flooding.socket.write(flood.repeat(2000))
  leaving.socket.end(request('/leaves'))
  await once(leaving.socket, 'close')
  t.equal(leaving.answers(), 1)
  await until(() => flooding.answers() === 2000)
  t.equal(parsed.flat().filter(url => url === '/leaves').length, 1)
})

t.test('a WebSocket that is paused while others wait for their turn is read on', async t => {
  const { server, parsed, join } = await startServer(t, { tls: false })
  const upgraded = new Promise<Socket>(resolve => server.once('upgrade', (_, socket) => resolve(socket as Socket)))
  const agent = await join()
  agent.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const socket = await upgraded
  let received = ''
  socket.on('data', chunk => {
    received += chunk
  })
  agent.socket.write('first')
  await until(() => received === 'first')
  const flooding = await join()
  let seen = 0
  server.prependListener('request', () => {
    seen++
    // The turn has been given up by now, and not been taken again.
    if (seen === 1000) socket.pause()
  })
  flooding.socket.write(flood.repeat(2000))
  await until(() => flooding.answers() === 2000)
  socket.resume()
  agent.socket.write(', second')
  await until(() => received === 'first, second')
  t.ok(parsed.flat().length > 1000)
})
