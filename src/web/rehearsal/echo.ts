// The one path of the gateway that a rehearsal's session reaches: shows what arrived there, and what Desk would have got of
// it; sends an event stream, or answers a WebSocket, when asked to. Shows no value of a cookie, a token or an assertion.

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../core/clock.js'
import { systemScheduler } from '../../runtime/clock.js'
import type { IdentityWriter, RequestContext } from '../context.js'
import { foldHeaderName } from '../request/header-names.js'
import { cookieHeader, lenientName } from '../request/read-cookies.js'
import { closeWhenRead, head, headersOfEach, sendResponse } from '../responses/send.js'

export interface EchoDeps {
  identity: Pick<IdentityWriter, 'isReserved'>
  /** The header of the signed assertion. */
  assertion: string
  /** What Desk would get. */
  requestHeaders(rawHeaders: readonly string[], context: RequestContext): string[]
  clock: Clock
}

/** What the gateway saw of a request, as JSON. */
export interface Echo {
  rehearsal: string
  agent: string
  /** The gateway's clock, in milliseconds since the epoch. */
  now: number
  request: string
  /** Who the client is, by trustedProxies; `unproven`: a proxy that is not trusted forwards for it. */
  address: string
  unproven: boolean
  /** Who is connected. */
  peer: string
  host: string
  httpVersion: string
  /** Of the whole head, as it arrived. */
  bytes: number
  /** The names of the cookies that arrived, with the lengths of their values. */
  cookies: [name: string, length: number][]
  /** What proxies said, as it arrived: names and values. */
  forwarded: [name: string, value: string][]
  /** What of an identity Desk would get: names and values. */
  identity: [name: string, value: string][]
}

export interface RehearsalEcho {
  send(request: IncomingMessage, response: ServerResponse, context: RequestContext): void
  upgrade(request: IncomingMessage, socket: Duplex, context: RequestContext): void
}

/** How long the event stream lasts after its first event, in milliseconds: a proxy that buffers delivers all at its end. */
export const streamTime = 1500
/** What the WebSocket says before it closes. */
export const greeting = 'rehearsal'

const noStore = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff']
const proxyHeader = /^(?:forwarded|via|x-forwarded-|x-real-ip$|x-client-ip$|true-client-ip$|cf-connecting-ip$)/

export function createRehearsalEcho(deps: EchoDeps): RehearsalEcho {
  const { clock } = deps
  return {
    send(request, response, context) {
      if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
        const headers = ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-cache', ...headersOfEach(context)]
        response.writeHead(200, headers)
        response.write('data: first\n\n')
        const late = systemScheduler(() => response.end('data: last\n\n'), streamTime)
        response.once('close', late.cancel)
        return
      }
      const body = `${JSON.stringify(echoOf(deps, request, context, clock.now()))}\n`
      sendResponse(response, { status: 200, headers: ['Content-Type', 'application/json', ...noStore], body }, context)
    },
    upgrade({ headers }, socket, context) {
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${webSocketId}`).digest('base64')
      const agreed = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept]
      socket.write(head(101, 'Switching Protocols', [...agreed, ...headersOfEach(context)]), 'latin1')
      // RFC 6455 5.2: one short text, and the close frame with code 1000.
      socket.end(Buffer.concat([Buffer.from([0x81, greeting.length]), Buffer.from(greeting), goodbye]))
      closeWhenRead(socket)
    },
  }
}

/** RFC 6455 1.3. */
const webSocketId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const goodbye = Buffer.from([0x88, 2, 0x03, 0xe8])

function echoOf(deps: EchoDeps, request: IncomingMessage, context: RequestContext, now: number): Echo {
  const { rawHeaders, headers, socket, httpVersion } = request
  const arrived = pairsOf(rawHeaders)
  const assertion = foldHeaderName(deps.assertion)
  const identity = pairsOf(deps.requestHeaders(rawHeaders, context)).filter(([name]) => deps.identity.isReserved(name))
  return {
    rehearsal: context.session?.provider ?? '',
    agent: context.session?.agent.email ?? '',
    now,
    request: context.id,
    address: context.address,
    unproven: context.unproven,
    peer: socket.remoteAddress ?? 'unix socket',
    host: headers.host ?? '',
    httpVersion,
    bytes: rawHeaders.reduce((sum, text) => sum + text.length + 2, (request.url ?? '').length),
    cookies: cookieSizes(cookieHeader(request)),
    forwarded: arrived.filter(([name]) => proxyHeader.test(name.toLowerCase())),
    identity: identity.map(([name, value]) => [name, foldHeaderName(name) === assertion ? 'signed' : value]),
  }
}

function cookieSizes(header = ''): Echo['cookies'] {
  const parts = header.split(';').filter(part => part.includes('='))
  return parts.map(part => [lenientName(part), part.length - part.indexOf('=') - 1])
}

function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string])
  return pairs
}
