// Forwards a WebSocket handshake to Desk, with the same headers and identity as any request; once Desk agrees, the two
// sockets are joined (tunnel.ts). Desk's refusal goes back as it is.

import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Config } from '../../../config/schema/index.js'
import type { Log } from '../../../ops/log.js'
import type { UnreadLimit } from '../../connections/unread-limit.js'
import type { Pipeline, RequestContext } from '../../context.js'
import { requestIds } from '../../request/trace-context.js'
import { closeWhenRead, head as headOf } from '../../responses/send.js'
import { refuseSocket } from '../../responses/send-error.js'
import type { DeskQueue } from '../desk-queue.js'
import { type DeskUse, newUseState } from '../desk-use.js'
import { refusedHeader } from '../http/refused-header.js'
import type { RequestHeaders } from '../request-headers.js'
import { type ResponseHeaders, withoutLength } from '../response-headers.js'
import type { Timeouts } from '../timeouts.js'
import { deskTls } from '../upstream.js'
import { type EarlyBytes, joinSockets } from './tunnel.js'

export interface UpgraderDeps {
  desk: Pick<Config['desk'], 'url' | 'tls' | 'timeout'>
  requestHeaders: RequestHeaders
  responseHeaders: ResponseHeaders
  queue: DeskQueue
  unread: UnreadLimit
  log: Log
  /** The most bytes of one frame. */
  largest: number
  timeouts: Timeouts
}

const agreed = ['Connection', 'Upgrade', 'Upgrade', 'websocket']

/** Throws when the handshake cannot be built: nothing has been sent then. */
export function createUpgrader(deps: UpgraderDeps): Pipeline['upgrade'] {
  const { desk, queue, unread, log, largest, timeouts } = deps
  const url = new URL(desk.url)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const where = { host, port: url.port || (secure ? 443 : 80), ...(secure ? deskTls(desk) : {}) }
  const open = secure ? overHttps : overHttp

  const join = (client: Duplex, side: Duplex, early: EarlyBytes, answer: IncomingMessage, use: HandshakeUse) => {
    unread.watch(client as Socket)
    return joinSockets(client, side, early, {
      largest,
      extended: answer.headers['sec-websocket-extensions'] !== undefined,
      timeouts,
      onStall: () => {
        unread.grew(client.writableLength)
        queue.stalled(use)
      },
      onRead: () => queue.reads(use),
      onViolation: (from, why) => log.warn({ ...requestIds(use.context), from }, `WebSocket closed: ${why}`),
    })
  }

  const send = (headers: string[], use: HandshakeUse) => {
    const { request, socket, head, context, onResponse } = use
    const options = { method: 'GET', path: context.target.raw, headers, setHost: false, agent: false }
    const toDesk = open({ ...where, ...options, timeout: desk.timeout })
    let [late, over] = [false, false]
    const giveUp = () => {
      toDesk.destroy()
    }
    // Attack: a Desk that responds twice. The second response would lie inside the first, or join what was refused.
    const isFirst = () => {
      const first = !over
      over = true
      return first
    }
    const fail = (error: 'desk_timeout' | 'desk_unreachable' | 'desk_busy', code: string, header?: string) => {
      queue.leave(use)
      if (!isFirst() || socket.destroyed || socket.writableEnded) return
      socket.off('close', giveUp)
      log.warn({ ...requestIds(context), code, header, 'desk.url': desk.url }, 'Desk WebSocket handshake failed')
      onResponse(refuseSocket(error, request, socket, context))
    }
    socket.on('close', giveUp)
    toDesk.on('timeout', () => {
      late = true
      toDesk.destroy()
    })
    toDesk.on('error', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }) => {
      const header = error.rawPacket && refusedHeader(error.rawPacket.toString('latin1'))
      fail(late ? 'desk_timeout' : 'desk_unreachable', error.code ?? '', header)
    })
    toDesk.on('response', answer => {
      const status = answer.statusCode ?? 0
      if (status < 200) {
        fail('desk_unreachable', `status ${status}`)
        return toDesk.destroy()
      }
      if (!isFirst()) return
      queue.headReceived(use)
      queue.goesOn(use)
      answer.on('close', () => queue.leave(use))
      passRefusal(answer, socket, deps.responseHeaders(answer.rawHeaders, context), context)
      onResponse(status)
    })
    toDesk.on('upgrade', (answer, side, deskHead) => {
      side.on('error', () => side.destroy())
      if (over || socket.destroyed) return side.destroy()
      if (answer.headers.upgrade?.toLowerCase() !== 'websocket') {
        side.destroy()
        return fail('desk_unreachable', 'another protocol')
      }
      queue.headReceived(use)
      if (!queue.hasPlace(use) && !queue.makePlace(use)) {
        side.destroy()
        return fail('desk_busy', 'too many long responses')
      }
      queue.goesOn(use)
      over = true
      socket.off('close', giveUp)
      const passed = withoutLength(deps.responseHeaders(answer.rawHeaders, context))
      socket.write(headOf(101, 'Switching Protocols', [...passed, ...agreed]), 'latin1')
      onResponse(101, join(socket, side, { client: head, desk: deskHead }, answer, use))
    })
    toDesk.end()
  }

  return (request, socket, head, context, onResponse) => {
    const headers = [...deps.requestHeaders(request.rawHeaders, context), ...agreed]
    const settle: HandshakeUse['settle'] = how => {
      if (how === 'cut') return void socket.destroy()
      if (how === 'busy') return onResponse(refuseSocket('desk_busy', request, socket, context))
      try {
        send(headers, use)
      } catch {
        queue.leave(use)
        onResponse(refuseSocket('internal', request, socket, context))
      }
    }
    const use: HandshakeUse = { request, socket, head, context, onResponse, settle, queued: newUseState() }
    socket.on('close', () => queue.leave(use))
    if (queue.enter(use)) settle('begin')
  }
}

interface HandshakeUse extends DeskUse {
  request: IncomingMessage
  socket: Duplex
  head: Buffer
  context: RequestContext
  onResponse: Parameters<Pipeline['upgrade']>[4]
}

/** Desk refuses this WebSocket: passes its response as it is, then ends the connection. */
function passRefusal(answer: IncomingMessage, socket: Duplex, headers: string[], context: RequestContext): void {
  const reason = /^[\t\x20-\x7e]*$/.test(answer.statusMessage ?? '') ? (answer.statusMessage ?? '') : ''
  context.outcome = context.observed ? 'observed' : context.session || context.api ? 'proxied' : 'public'
  socket.write(headOf(answer.statusCode ?? 502, reason, [...headers, 'Connection', 'close']), 'latin1')
  answer.on('error', () => socket.destroy())
  answer.pipe(socket)
  answer.on('end', () => closeWhenRead(socket))
}
