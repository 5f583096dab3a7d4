// Many clients that want to do harm, on real sockets, and what is looked at meanwhile: the memory of the gateway's process,
// the connections that Desk has, and what an agent is answered who works beside it.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { systemClock } from '../../src/runtime/clock.js'
import { agree } from './desk.js'
import { type RunningGateway, startGateway } from './gateway.js'
import { createIdentityProvider, logIn } from './identity-provider.js'
import { startLoad } from './load.js'
import { createUserAgent } from './user-agent.js'

const publicUrl = 'https://desk.example.com'
const big = Buffer.alloc(1024 * 1024, 'a')
export const smallPage = 'hello'.repeat(200)

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
    if (!path.endsWith('/events')) return void response.end(smallPage)
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
  /** From the call on: the MB that the gateway's process was seen to hold at most, beyond what it holds now. */
  watchMemory(): Promise<() => number>
  /** The requests of an agent at work while `meanwhile` happens: how long each waited, in ms, and what was not a page of Desk. */
  work(cookie: string, meanwhile: () => Promise<unknown>): Promise<{ waits: number[]; failures: string[] }>
  close(): Promise<void>
}

/** MB that the gateway's process holds. */
export async function memoryOf({ child }: Pick<RunningGateway, 'child'>): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000
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
  let most = 0
  const timer = setInterval(async () => {
    most = Math.max(most, await memoryOf(gateway).catch(() => 0))
  }, 50)

  return {
    gateway,
    desk,
    async watchMemory() {
      const quiet = await memoryOf(gateway)
      most = quiet
      return () => Math.round(most - quiet)
    },
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
      const check = (_: number, body: string) => (body === smallPage ? undefined : 'another page')
      const load = startLoad({ origin, path: '/tickets', headers, perSecond: 50, check })
      await meanwhile()
      await load.stop()
      return { waits: load.times, failures: load.failures }
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

// Just under what is read, just under what is kept, of other paths, and of the gateway's own forms.
const unfinished: [path: string, bytes: number][] = [
  ['/auth/saml/acs', 1_040_000],
  ['/auth/saml/acs', 285_000],
  ['/auth/jwt/callback', 280_000],
  ['/auth/saml/slo', 130_000],
  ['/auth/jwt', 1_040_000],
  ['/auth/logout', 16_000],
]
const formPiece = Buffer.alloc(16 * 1024, 'a')

/** So many forms, sixty at a time, whose last byte does not come. Settles when all are connected. */
export async function holdForms(
  port: number,
  count: number,
  sockets: Set<Socket>,
  ...headers: string[]
): Promise<void> {
  for (let begun = 0; begun < count; begun += 60) {
    const some = Array.from({ length: Math.min(60, count - begun) }, (_, index) => {
      const socket = connect(port, '127.0.0.1')
      sockets.add(socket)
      return holdForm(socket, unfinished[index % unfinished.length] as [string, number], headers)
    })
    await Promise.all(some)
  }
}

function holdForm(socket: Socket, [path, bytes]: [string, number], headers: string[]): Promise<void> {
  const type = 'Content-Type: application/x-www-form-urlencoded'
  const navigation = ['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']
  let left = bytes - 1
  const push = () => {
    while (left > 0) {
      const piece = formPiece.subarray(0, Math.min(left, formPiece.length))
      left -= piece.length
      if (!socket.write(piece)) return
    }
  }
  socket.on('error', () => {}).on('drain', push)
  socket.write(requestBytes(`POST ${path}`, ...headers, ...navigation, type, `Content-Length: ${bytes}`))
  push()
  return new Promise(resolve => void socket.once('connect', resolve).once('close', () => resolve()))
}
