// A Desk that streams, for the measurements: so many bytes down, any number up, and an event right away.

import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { WebSocketServer } from 'ws'

const piece = Buffer.alloc(64 * 1024, 'x')

function* bytes(count: number) {
  for (let left = count; left > 0; left -= piece.length) yield left >= piece.length ? piece : piece.subarray(0, left)
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://desk')
  if (pathname === '/down') {
    const count = Number(searchParams.get('bytes'))
    response.writeHead(200, { 'content-length': count })
    Readable.from(bytes(count), { objectMode: false }).pipe(response)
  } else if (pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('data: first\n\n')
  } else {
    let count = 0
    request.on('data', chunk => {
      count += chunk.length
    })
    request.on('end', () => response.end(`${count}`))
  }
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', socket => socket.on('message', message => socket.send(message)))
server.requestTimeout = 0
server.listen(Number(process.argv[2]), '127.0.0.1')
