// A proxy before Redis whose network fails as a test says: messages that are lost on the way to Redis, a subscriber that hears
// nothing although its connection stays, and another server behind the same address.

import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './ports.js'

export interface RedisProxy {
  /** redis://… */
  url: string
  /** PUBLISH is answered, and reaches nobody. */
  losePublished(is: boolean): void
  /** What Redis sends to subscribers is lost; their connections stay. */
  silenceSubscribers(is: boolean): void
  /** New connections lead to another server, and so do those that are cut now. */
  moveTo(port: number): void
  cut(): void
  close(): Promise<void>
}

const ping = Buffer.from('*1\r\n$4\r\nPING\r\n')

export async function startRedisProxy(target: number): Promise<RedisProxy> {
  const sockets = new Set<Socket>()
  let [port, losing, silent] = [target, false, false]
  // Without noDelay a message may wait 40 ms for the acknowledgement of the one before it.
  const server = createServer({ noDelay: true }, client => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    let subscribed = false
    let rest: Buffer = Buffer.alloc(0)
    for (const one of [client, upstream]) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', chunk => {
      const { commands, left } = split(Buffer.concat([rest, chunk]))
      rest = left
      for (const command of commands) {
        const name = nameOf(command)
        if (name === 'subscribe') subscribed = true
        // Its result is used by nobody, and the order of replies stays.
        upstream.write(losing && name === 'publish' ? ping : command)
      }
    })
    upstream.on('data', chunk => {
      if (!(silent && subscribed)) client.write(chunk)
    })
  })
  const own = await freePort()
  await new Promise<void>(resolve => server.listen(own, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }

  return {
    url: `redis://127.0.0.1:${own}`,
    losePublished(is) {
      losing = is
    },
    silenceSubscribers(is) {
      silent = is
    },
    moveTo(next) {
      port = next
    },
    cut,
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      cut()
      await closed
    },
  }
}

/** Whole commands, as ioredis writes them: arrays of bulk strings. */
function split(bytes: Buffer): { commands: Buffer[]; left: Buffer } {
  const commands: Buffer[] = []
  let start = 0
  for (;;) {
    const end = endOf(bytes, start)
    if (end === undefined) return { commands, left: bytes.subarray(start) }
    commands.push(bytes.subarray(start, end))
    start = end
  }
}

function endOf(bytes: Buffer, start: number): number | undefined {
  let at = start
  const number = () => {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const value = Number(bytes.toString('latin1', at + 1, end))
    at = end + 2
    return value
  }
  const parts = number()
  if (parts === undefined) return undefined
  for (let part = 0; part < parts; part++) {
    const length = number()
    if (length === undefined) return undefined
    at += length + 2
  }
  return at <= bytes.length ? at : undefined
}

function nameOf(command: Buffer): string | undefined {
  return command.toString('latin1', 0, 60).split('\r\n')[2]?.toLowerCase()
}
