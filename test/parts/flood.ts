// Many clients that want to do harm, on real sockets, and what is looked at meanwhile: the memory of the gateway's process,
// the connections that Desk has, and how long an agent waits who works beside it.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { systemClock } from '../../src/runtime/clock.js'
import { agree } from './desk.js'
import { type RunningGateway, startGateway } from './gateway.js'
import { createIdentityProvider, logIn } from './identity-provider.js'
import { quantile, startLoad } from './load.js'
import { createUserAgent } from './user-agent.js'

const publicUrl = 'https://desk.example.com'
const big = Buffer.alloc(1024 * 1024, 'a')

export interface FloodedDesk {
  url: string
  /** Connections now, and the most that there were at once. */
  connections(): number
  most(): number
  /** Requests that have come, by path. */
  seen(path: string): number
  /** Event streams that are open. */
  streams(): number
  /** Writes one event to each of them. */
  say(event: string): void
  close(): Promise<void>
}

/** `/open/big`: 1 MB. `/events`, `/open/events`: a stream without end. `/open/never`: no answer. All else: a small page. */
export async function startFloodedDesk(): Promise<FloodedDesk> {
  const sockets = new Set<Duplex>()
  const streams = new Set<ServerResponse>()
  const counts = new Map<string, number>()
  let most = 0
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    counts.set(path, (counts.get(path) ?? 0) + 1)
    request.resume()
    if (path.endsWith('/never')) return
    if (path.endsWith('/big')) return void response.writeHead(200, { 'Content-Length': big.length }).end(big)
    if (!path.endsWith('/events')) return void response.end('hello'.repeat(200))
    streams.add(response)
    response.on('close', () => streams.delete(response))
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(': hello\n\n')
  })
  server.on('connection', socket => {
    sockets.add(socket)
    most = Math.max(most, sockets.size)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket) => agree(request, socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', 1024, resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.size,
    most: () => most,
    seen: path => counts.get(path) ?? 0,
    streams: () => streams.size,
    say(event) {
      for (const stream of streams) stream.write(`data: ${event}\n\n`)
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

export interface Flooded {
  gateway: RunningGateway
  desk: FloodedDesk
  /** The Cookie header of an agent who is logged in. */
  cookie(email?: string): Promise<string>
  /** A bare connection; it is closed with the others. Without a reader nothing of what comes is read. */
  open(): Promise<Socket>
  /** MB that the gateway's process holds, and the most that it was seen to hold. */
  memory(): Promise<number>
  mostMemory(): number
  /** p99 in ms of the requests of an agent at work while `meanwhile` happens; `failures` are answers other than 200. */
  work(cookie: string, meanwhile: () => Promise<unknown>): Promise<{ p99: number; failures: string[] }>
  close(): Promise<void>
}

/** A gateway as `serve` runs it, with an agent's login at hand. */
export async function startFlooded(settings: Record<string, unknown> = {}): Promise<Flooded> {
  const desk = await startFloodedDesk()
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const { desk: more, ...rest } = settings as { desk?: object }
  const gateway = await startGateway({
    publicUrl,
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0' },
    desk: { url: desk.url, public: ['/open/*'], ...more },
    providers: [idp.settings.portal],
    agents: [{ domains: ['example.com'] }],
    log: { access: false },
    ...rest,
  })
  const clients = new Set<Socket>()
  const memory = async () => {
    const status = await readFile(`/proc/${gateway.child.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000
  }
  let most = 0
  const timer = setInterval(async () => {
    most = Math.max(most, await memory().catch(() => 0))
  }, 50)

  return {
    gateway,
    desk,
    memory,
    mostMemory: () => most,
    async cookie(email = 'ada@example.com') {
      const agent = createUserAgent(publicUrl, { port: gateway.port })
      const page = await logIn(agent, idp, { way: 'portal', email })
      if (page.status !== 303) throw new Error(`no login: ${page.status} ${page.reason}`)
      return agent.cookieHeader('/')
    },
    async open() {
      const socket = connect(gateway.port, '127.0.0.1')
      socket.on('error', () => {}).on('close', () => clients.delete(socket))
      clients.add(socket)
      socket.pause()
      await once(socket, 'connect')
      return socket
    },
    async work(cookie, meanwhile) {
      const origin = `http://127.0.0.1:${gateway.port}`
      const headers = { cookie, host: new URL(publicUrl).host }
      const load = startLoad({ origin, path: '/tickets', headers, perSecond: 50 })
      await meanwhile()
      await load.stop()
      return { p99: quantile(load.times, 0.99), failures: load.failures }
    },
    async close() {
      clearInterval(timer)
      for (const socket of clients) socket.destroy()
      await gateway.stop()
      await desk.close()
    },
  }
}

/** A request's bytes, to be sent many times in a row. */
export function requestBytes(target: string, ...headers: string[]): string {
  return [`${target} HTTP/1.1`, 'Host: desk.example.com', ...headers, '', ''].join('\r\n')
}
