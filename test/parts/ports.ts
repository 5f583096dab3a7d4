// Free loopback ports, for what must know its address before it listens.

import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range from which systems take the ports of outgoing connections and of "any port" (Linux from 32768 on): a port
// of that range may be somebody's by the time that its new owner listens.
const lowest = 15_000
const count = 17_000

/** Where this process continues looking: no port is named twice, and another test process most likely looks elsewhere. */
let next = Math.floor(Math.random() * count)

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < count; tries++) {
    const port = lowest + (next++ % count)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
