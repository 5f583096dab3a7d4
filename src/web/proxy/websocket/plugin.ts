// WebSocket upgrades: each passes the same lifecycle and the same guard as a request, and its Origin must be ours. An
// open WebSocket lives no longer than its session or its token; the gateway closes it itself.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock, Random } from '../../../core/clock.js'
import type { Metrics } from '../../../ops/metrics.js'
import type { CloseReason } from '../../access/live-bearers.js'
import type { LiveConnections } from '../../access/live-connections.js'
import { noticeEnd, onWebSocketOffer } from '../../connections/read-again.js'
import type { AccessVerdict, GatewayErrorCode, RequestContext, Tunnel } from '../../context.js'
import type { RequestLifecycle } from '../../request-lifecycle.js'
import { refuseSocket, refuseVerdictSocket } from '../../responses/send-error.js'

export interface UpgradeDeps {
  requestLifecycle: Pick<RequestLifecycle, 'stateOf' | 'finish'>
  liveConnections: Pick<LiveConnections, 'watch' | 'touch'>
  clock: Clock
  random: Random
  metrics: Pick<Metrics, 'websocketOpened' | 'websocketClosed'>
}

export interface Upgrades {
  /**
   * Closes every open WebSocket, and those that open later. The closes are spread over at most `within` milliseconds,
   * so that the clients do not reconnect all at once.
   */
  closeAll(within: number): void
}

/** Why a WebSocket is closed: code and reason (RFC 6455 7.4; 4000 to 4999 are for applications). */
const closeCodes: Record<UpgradeCloseReason, [code: number, reason: string]> = {
  ended: [4401, 'session ended'],
  unverified: [1013, 'try again later'],
  changed: [1012, 'identity changed'],
  leaving: [1001, 'going away'],
}
type UpgradeCloseReason = CloseReason | 'leaving'

/** Milliseconds that each open WebSocket adds to the time over which all are closed: two hundred a second. */
const closeSpacing = 5
/** Milliseconds between two messages that count as activity. */
const activityInterval = 1000

export function attachUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const { requestLifecycle, liveConnections, clock, random, metrics } = deps
  const open = new Set<(reason: UpgradeCloseReason) => void>()
  let leaving = false

  /** Each message of the browser is activity, except on a path of sessions.idleIgnore. */
  const listen = (tunnel: Tunnel, context: RequestContext) => {
    const { target, snapshot } = context
    if (!snapshot.pipeline.guard.isActivity(target, 'GET')) return
    let touchedAt = clock.now()
    tunnel.onMessage(() => {
      const now = clock.now()
      if (Math.abs(now - touchedAt) < activityInterval) return
      touchedAt = now
      if (context.session) liveConnections.touch(context.session.handle)
    })
  }
  const forward = ({ request, socket, head, context, finish }: Handshake) => {
    let status: number | undefined
    let tunnel: Tunnel | undefined
    const close = (reason: UpgradeCloseReason) => {
      const [code, text] = closeCodes[reason]
      if (tunnel) tunnel.close(code, text)
      else socket.destroy()
    }
    // Watched from here on: the session may end before Desk has answered the handshake.
    open.add(close)
    const unwatch = liveConnections.watch(request, context, close)
    socket.on('close', () => {
      open.delete(close)
      unwatch()
      if (status === 101) metrics.websocketClosed()
      if (status === undefined) finish(499)
    })
    context.snapshot.pipeline.upgrade(request, socket, head, context, (answered, joined) => {
      status = answered
      tunnel = joined
      if (status === 101) metrics.websocketOpened()
      finish(status)
      if (leaving) return close('leaving')
      if (tunnel && context.session) listen(tunnel, context)
    })
  }

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const { context, error } = requestLifecycle.stateOf(request)
    // Until it is answered: a client that leaves must not keep its place in the queue for Desk.
    const stopNoticing = noticeEnd(socket)
    const finish = (status: number) => {
      stopNoticing()
      requestLifecycle.finish(request, status)
    }
    const reject = (code: GatewayErrorCode) => finish(refuseSocket(code, request, socket, context))
    const follow = (verdict: AccessVerdict) => {
      if (socket.destroyed) return finish(499)
      if (verdict.kind !== 'pass') return finish(refuseVerdictSocket(verdict, request, socket, context))
      const fault = handshakeError(request)
      if (fault) return reject(fault)
      // Attack: whatever makes the handshake fail before it is sent must end one WebSocket, not the process.
      try {
        forward({ request, socket, head, context, finish })
      } catch {
        reject('internal')
      }
    }
    if (error !== undefined) return reject(error)
    if (context.routeClass === 'own' || context.routeClass === 'unreadable') return reject('not_found')
    const { guard } = context.snapshot.pipeline
    const verdict = isOurOrigin(request, context) ? guard.authorize(request, context) : guard.refuseOrigin(context)
    if (!(verdict instanceof Promise)) return follow(verdict)
    verdict.then(follow).catch(() => reject('internal'))
  }

  onWebSocketOffer(server, onUpgrade)
  return {
    closeAll(within) {
      leaving = true
      const spread = Math.min(within, open.size * closeSpacing)
      for (const close of open) setTimeout(() => close('leaving'), spread * randomFraction(random))
    },
  }
}

interface Handshake {
  request: IncomingMessage
  socket: Duplex
  head: Buffer
  context: RequestContext
  /** Its metric and its log line. */
  finish(status: number): void
}

/** From 0 to 1. */
function randomFraction(random: Random): number {
  return random(2).readUInt16BE() / 0xffff
}

function isOurOrigin(request: IncomingMessage, context: RequestContext): boolean {
  // Attack: cross-site WebSocket hijacking. A page elsewhere opens a WebSocket and the browser adds our cookie.
  const origins = request.headersDistinct.origin ?? []
  const ours = context.snapshot.config.publicUrl
  return origins.length <= 1 && origins.every(origin => origin === ours)
}

/** RFC 6455 4.2.1. */
function handshakeError(request: IncomingMessage): 'bad_request' | 'upgrade_required' | undefined {
  const { headers, method, headersDistinct } = request
  const keys = headersDistinct['sec-websocket-key'] ?? []
  if (method !== 'GET' || request.httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket')
    return 'bad_request'
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) return 'bad_request'
  if (keys.length !== 1 || !/^[A-Za-z0-9+/]{22}==$/.test(keys[0] ?? '')) return 'bad_request'
  const version = headers['sec-websocket-version']
  if (version === undefined) return 'bad_request'
  return version === '13' ? undefined : 'upgrade_required'
}
