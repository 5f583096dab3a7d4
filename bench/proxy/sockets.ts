// WebSocket load: every connection sends a message as soon as the last one has come back.

import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Running } from './peer.js'

const connections = 64
const message = Buffer.alloc(64, 'x')

/** How many messages have come back within `seconds`. */
export async function echoes({ port, headers }: Running, seconds: number): Promise<number> {
  let count = 0
  const open = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers, perMessageDeflate: false })
      await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
      socket.on('message', data => {
        if (!message.equals(data as Buffer)) throw new Error('another message came back')
        count++
        socket.send(message)
      })
      return socket
    }),
  )
  for (const socket of open) socket.send(message)
  await pause(seconds * 1000)
  const seen = count
  for (const socket of open) socket.terminate()
  return seen
}
