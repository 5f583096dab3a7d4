// A node of a cluster that refuses connections gets few of them, however many commands are meant for it, and each command
// fails at once with what the node has said.

import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { systemRandom } from '../../../src/runtime/clock.js'
import { connectionOptions } from '../../../src/store/redis/client.js'
import { explain } from '../../../src/store/redis/error-messages.js'
import { createNodeConnector } from '../../../src/store/redis/node-connector.js'
import { startRedis } from '../../parts/redis.js'
import { missingParts } from '../../parts/required-parts.js'
import { until } from '../../parts/wait-until.js'

const refusing: Record<string, [(socket: Socket) => void, RegExp]> = {
  'closes at once': [socket => socket.end(), /ECONNRESET/],
  'resets the connection': [socket => socket.resetAndDestroy(), /ECONNRESET/],
  'has too many clients': [
    socket => socket.end('-ERR max number of clients + cluster connections reached\r\n'),
    /Redis says: ERR max number of clients \+ cluster connections reached$/,
  ],
  'is in protected mode, and reads first': [
    socket => socket.once('data', () => socket.end('-DENIED Redis is running in protected mode. And so on.\r\n')),
    /Redis says: DENIED Redis is running in protected mode$/,
  ],
  'says half a line': [socket => socket.end('-ERR max number'), /ECONNRESET/],
}

async function listen(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { server, port: typeof address === 'object' && address ? address.port : 0 }
}

/** A new client for each command, as the pool of ioredis has one for a node that is lost. */
function commands(port: number, Connector = createNodeConnector({ random: systemRandom })) {
  const options = { ...connectionOptions({ tls: undefined }, 800), retryStrategy: null, Connector }
  return async () => {
    const client = new Redis({ ...options, host: '127.0.0.1', port })
    client.on('error', () => {})
    try {
      return String(await client.get('x'))
    } catch (error) {
      return explain(error, { topology: 'cluster' })
    } finally {
      client.disconnect()
    }
  }
}

for (const [name, [answer, words]] of Object.entries(refusing)) {
  t.test(`a node that ${name}`, async t => {
    let connections = 0
    const { server, port } = await listen(socket => {
      connections++
      answer(socket)
    })
    t.teardown(() => server.close())
    const command = commands(port)
    const end = performance.now() + 1500
    let count = 0
    while (performance.now() < end) {
      const said = await command()
      await turn()
      if (count++ % 100 === 0) t.match(said, words)
    }
    // Pauses of at least 25, 50, 100, 200, 400 and 800 ms.
    t.ok(count > 100 && connections > 2 && connections <= 6, `${connections} connections for ${count} commands`)
  })
}

t.test('an address where nothing listens, and then a Redis', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  await redis.kill()
  const command = commands(redis.port)
  for (let i = 0; i < 100; i++) t.match(await command(), /ECONNREFUSED/)
  await redis.start()
  await until(async () => (await command()) === 'null', 5000)
  for (let i = 0; i < 20; i++) t.equal(await command(), 'null', 'no pause after an answer')
})

t.test('a server that wants a login has answered', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis({ acl: ['default off', 'admin on >admin ~* &* +@all'] })
  t.teardown(redis.stop)
  const command = commands(redis.port)
  for (let i = 0; i < 20; i++) t.match(await command(), /NOAUTH/)
})
