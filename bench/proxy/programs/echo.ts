// Behind the gateways of the measurement: sends each WebSocket message back.

import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false })
server.on('connection', socket => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
