// A WebSocket handshake on its way to Desk, with the same headers and identity as any request; once Desk has agreed, the
// two sockets are joined (tunnel.ts). A refusal of Desk goes back as it came.

import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema/index.js'
import type { Log } from '../../ops/log.js'
import { refuseSocket } from '../pages/refuse.js'
import { closeWhenRead, head as headOf } from '../pages/send.js'
import type { Street, Visit } from '../visit.js'
import { deskTls } from './desk-connection.js'
import type { RequestHeaders } from './request-headers.js'
import type { ResponseHeaders } from './response-headers.js'
import { joinSockets, type Patience } from './tunnel.js'

export interface UpgraderDeps {
  desk: Pick<Config['desk'], 'url' | 'tls' | 'timeout'>
  requestHeaders: RequestHeaders
  responseHeaders: ResponseHeaders
  log: Log
  /** How long a WebSocket that is closed may take. */
  patience?: Patience | undefined
}

const agreed = ['Connection', 'Upgrade', 'Upgrade', 'websocket']

export function createUpgrader(deps: UpgraderDeps): Street['upgrade'] {
  const { desk, log } = deps
  const url = new URL(desk.url)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const where = { host, port: url.port || (secure ? 443 : 80), ...(secure ? deskTls(desk) : {}) }
  const open = secure ? overHttps : overHttp

  return (request, socket, head, visit, answered) => {
    const headers = [...deps.requestHeaders(request.rawHeaders, visit), ...agreed]
    const options = { method: 'GET', path: visit.target.raw, headers, setHost: false, agent: false }
    const toDesk = open({ ...where, ...options, timeout: desk.timeout })
    const giveUp = () => {
      toDesk.destroy()
    }
    const fail = (trouble: 'desk_timeout' | 'desk_unreachable', code: string) => {
      socket.off('close', giveUp)
      log.warn({ request: visit.id, code }, 'Desk did not answer a WebSocket handshake as it should')
      answered(refuseSocket(trouble, request, socket, visit))
    }
    let late = false
    socket.on('close', giveUp)
    toDesk.on('timeout', () => {
      late = true
      toDesk.destroy()
    })
    toDesk.on('error', (error: NodeJS.ErrnoException) => {
      if (!socket.destroyed && !socket.writableEnded) fail(late ? 'desk_timeout' : 'desk_unreachable', error.code ?? '')
    })
    toDesk.on('response', answer => {
      passRefusal(answer, socket, deps.responseHeaders(answer.rawHeaders, visit), visit)
      answered(answer.statusCode ?? 502)
    })
    toDesk.on('upgrade', (answer, deskSocket, deskHead) => {
      deskSocket.on('error', () => deskSocket.destroy())
      if (socket.destroyed) return deskSocket.destroy()
      if (answer.headers.upgrade?.toLowerCase() !== 'websocket') {
        deskSocket.destroy()
        return fail('desk_unreachable', 'another protocol')
      }
      socket.off('close', giveUp)
      const passed = deps.responseHeaders(answer.rawHeaders, visit)
      socket.write(headOf(101, 'Switching Protocols', [...passed, ...agreed]), 'latin1')
      answered(101, joinSockets(socket, deskSocket, { client: head, desk: deskHead }, deps.patience))
    })
    toDesk.end()
  }
}

/** Desk does not want this WebSocket: its answer as it is, then the end of the connection. */
function passRefusal(answer: IncomingMessage, socket: Duplex, headers: string[], visit: Visit): void {
  const reason = /^[\t\x20-\x7e]*$/.test(answer.statusMessage ?? '') ? (answer.statusMessage ?? '') : ''
  visit.outcome = visit.session || visit.api ? 'proxied' : 'public'
  socket.write(headOf(answer.statusCode ?? 502, reason, [...headers, 'Connection', 'close']), 'latin1')
  answer.on('error', () => socket.destroy())
  answer.pipe(socket)
  answer.on('end', () => closeWhenRead(socket))
}
