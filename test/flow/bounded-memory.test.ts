// Answers and uploads without end, many at once, in a process whose memory is looked at: nothing of them is kept.

import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import { startGateway } from '../parts/gateway.js'
import { openRaw } from '../parts/raw-http.js'
import { settled, until } from '../parts/wait-until.js'
import { frame } from '../parts/websocket.js'

const megabyte = 1_000_000
const [small, large] = [50 * megabyte, 10_000 * megabyte]

/** Writes chunks, no faster than they are taken, until there are enough. */
function pour(socket: Socket, chunk: Buffer, bytes: number): void {
  let left = bytes
  const push = () => {
    while (left > 0 && !socket.destroyed) {
      left -= chunk.length
      if (!socket.write(chunk)) return
    }
  }
  socket.on('drain', push)
  push()
}

t.test('endless answers, uploads and messages leave no trace in memory', async t => {
  const open = new Set<Socket>()
  let got = 0
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.once('data', first => {
      const path = /^\S+ (\S+)/.exec(first.toString('latin1'))?.[1]
      if (path === '/open/down') {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`)
        pour(socket, Buffer.alloc(64 * 1024), large)
      } else if (path === '/open/ws') {
        socket.write('HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
        pour(socket, frame(Buffer.alloc(60_000), { opcode: 2 }), large)
      } else if (path === '/open/up') {
        socket.on('data', chunk => {
          got += chunk.length
        })
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const gateway = await startGateway({
    publicUrl: 'http://localhost',
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0' },
    desk: { url: `http://127.0.0.1:${port}`, public: ['/open/*'] },
    providers: [{ id: 'a', type: 'jwt', name: 'A', loginUrl: 'https://idp.example.com/', secrets: ['x'.repeat(40)] }],
    agents: [{ any: true }],
    log: { access: false },
  })
  t.teardown(async () => {
    await gateway.stop()
    server.close()
    for (const socket of open) socket.destroy()
  })
  const megabytes = async () => {
    const status = await readFile(`/proc/${gateway.child.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000
  }
  const ask = (path: string, ...headers: string[]) => {
    const connection = openRaw(gateway.port)
    connection.send([`${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n'))
    return connection.socket
  }
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const handshake = [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  /** `connection` reads so many bytes, without keeping them. */
  const read = async (socket: Socket, bytes: number) => {
    let seen = 0
    socket.removeAllListeners('data')
    socket.on('data', chunk => {
      seen += chunk.length
    })
    await until(() => seen > bytes, 60_000)
  }
  const round = async (times: number) => {
    const sleepers = Array.from({ length: 3 * times }, (_, at) => {
      const socket = at % 2 ? ask('GET /open/down') : ask('GET /open/ws', ...handshake)
      return socket.pause()
    })
    const upload = ask('POST /open/up', `Content-Length: ${times * small}`)
    pour(upload, Buffer.alloc(64 * 1024), times * small)
    const [down, messages] = [ask('GET /open/down'), ask('GET /open/ws', ...handshake)]
    const before = got
    await Promise.all([
      read(down, times * small),
      read(messages, times * small),
      until(() => got - before > times * 49e6),
    ])
    const most = await megabytes()
    for (const socket of [...sleepers, upload, down, messages]) socket.destroy()
    await until(() => open.size === 0)
    return most
  }
  await round(1)
  const first = await megabytes()
  const most = await round(3)
  t.ok(most - first < 100, `from ${first} MB to ${most} MB while 450 MB passed and 9 did not read`)
  // Some of the nine may come to Desk only now.
  await settled(() => open.size)
  await until(() => open.size === 0)
  t.equal(open.size, 0, "and Desk's connections are closed")
})
