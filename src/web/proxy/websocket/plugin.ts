// WebSocket: every upgrade goes through the same door and the same guard as a request, and its Origin must be ours. An
// open one lives no longer than its session; closing it is our part, because nothing else of it passes here again.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock, Random, Session } from '../../../core/contracts.js'
import type { Metrics } from '../../../ops/metrics.js'
import { admitted } from '../../access/authenticate.js'
import { createHeldCallers } from '../../access/live-bearers.js'
import type { Lasting } from '../../access/live-connections.js'
import type { Judges } from '../../access/live-responses.js'
import type { Decision, Trouble, Tunnel, Visit } from '../../context.js'
import type { Entrance } from '../../request-lifecycle.js'
import { refuseBearerSocket, refuseSocket } from '../../responses/refuse.js'

export interface UpgradeDeps {
  entrance: Pick<Entrance, 'current' | 'arrive' | 'leave'>
  lasting: Pick<Lasting, 'hold' | 'touch' | 'judgedBy'>
  clock: Clock
  random: Random
  metrics: Pick<Metrics, 'websocketOpened' | 'websocketClosed'>
}

export interface Upgrades {
  /**
   * Closes every open WebSocket, and those that still open: each at some moment within as many milliseconds, so that
   * those who come back at once do not come all together.
   */
  closeAll(within: number): void
  /** Closes what lasts and a bearer token has opened which would be refused now. */
  sweep(): Promise<void>
}

/** Why a WebSocket is closed: code and reason (RFC 6455 7.4; 4000 to 4999 are for applications). */
const goodbyes: Record<Goodbye, [code: number, reason: string]> = {
  ended: [4401, 'session ended'],
  unverified: [1013, 'try again later'],
  changed: [1012, 'identity changed'],
  leaving: [1001, 'going away'],
}
type Goodbye = 'ended' | 'unverified' | 'changed' | 'leaving'

/** Milliseconds that each WebSocket adds to the time over which all are closed: two hundred a second. */
const each = 5
/** Milliseconds between two messages that count as activity. */
const seldom = 1000

export function attachUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const { entrance, lasting, clock, random, metrics } = deps
  const open = new Set<(why: Goodbye) => void>()
  const over = new AbortController()
  const callers = createHeldCallers({ entrance, clock, signal: over.signal })
  const permits: Judges['permits'] = (agent, request) => {
    const { target } = entrance.arrive(request).visit
    return entrance.current().street.guard.permits(agent, request.method ?? '', target)
  }
  let leaving = false
  lasting.judgedBy({ holdCaller: callers.hold, permits })

  /** Each message of the browser is activity, except on a path of sessions.idleIgnore. */
  const listen = (tunnel: Tunnel, session: Session, { target, generation }: Visit) => {
    if (!generation.street.guard.isActivity(target, 'GET')) return
    let told = clock.now()
    tunnel.onMessage(() => {
      const now = clock.now()
      if (Math.abs(now - told) < seldom) return
      told = now
      lasting.touch(session.handle)
    })
  }
  const pass = (request: IncomingMessage, socket: Duplex, head: Buffer, visit: Visit) => {
    const { session, api } = visit
    let status: number | undefined
    let tunnel: Tunnel | undefined
    const close = (why: Goodbye) => {
      const [code, reason] = goodbyes[why]
      if (tunnel) tunnel.close(code, reason)
      else socket.destroy()
    }
    // Kept from here on: a session that ends while Desk still thinks about the handshake ends this one too.
    open.add(close)
    const release = session
      ? lasting.hold(session, close, agent => permits(agent, request))
      : api && callers.hold(api, request, close)
    socket.on('close', () => {
      open.delete(close)
      release?.()
      if (status === 101) metrics.websocketClosed()
      if (status === undefined) entrance.leave(request, 499)
    })
    visit.generation.street.upgrade(request, socket, head, visit, (answered, joined) => {
      status = answered
      tunnel = joined
      if (status === 101) metrics.websocketOpened()
      entrance.leave(request, status)
      if (leaving) return close('leaving')
      if (tunnel && session) listen(tunnel, session, visit)
    })
  }

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const { visit, place, trouble } = entrance.arrive(request)
    const refused = (why: Trouble) => entrance.leave(request, refuseSocket(why, request, socket, visit))
    const settle = (decision: Decision) => {
      if (socket.destroyed) return entrance.leave(request, 499)
      if (decision === 'challenge') return refused('challenge')
      if (decision === 'unavailable') return refused('store_unavailable')
      if ('tell' in decision) return entrance.leave(request, refuseBearerSocket(decision, socket, visit))
      if (!isHandshake(request)) return refused('bad_request')
      admitted(visit, decision)
      if (!visit.generation.street.guard.permits(decision.agent, 'GET', visit.target)) return refused('forbidden')
      enter()
    }
    // Attack: whatever makes the handshake fail before it is sent must end one WebSocket, not the process.
    const enter = () => {
      try {
        pass(request, socket, head, visit)
      } catch {
        refused('internal')
      }
    }
    const why = trouble ?? originTrouble(request, visit, place)
    if (why !== undefined) return refused(why)
    if (place === 'public') {
      if (!isHandshake(request)) return refused('bad_request')
      visit.outcome = 'public'
      return enter()
    }
    const decision = visit.generation.street.guard.decide(request, visit.target)
    if (!(decision instanceof Promise)) return settle(decision)
    decision.then(settle).catch(() => refused('internal'))
  }

  server.on('upgrade', onUpgrade)
  server.on('close', () => over.abort())
  return {
    sweep: callers.sweep,
    closeAll(within) {
      leaving = true
      const spread = Math.min(within, open.size * each)
      for (const close of open) setTimeout(() => close('leaving'), spread * shareOf(random))
    },
  }
}

/** From 0 to 1. */
function shareOf(random: Random): number {
  return random(2).readUInt16BE() / 0xffff
}

function originTrouble(request: IncomingMessage, visit: Visit, place: string): Trouble | undefined {
  if (place !== 'public' && place !== 'protected') return 'not_found'
  // Attack: cross-site WebSocket hijacking. A page elsewhere opens a WebSocket and the browser adds our cookie.
  const origins = request.headersDistinct.origin ?? []
  const ours = visit.generation.config.publicUrl
  if (origins.some(origin => origin !== ours) || origins.length > 1) return 'wrong_origin'
  return undefined
}

/** RFC 6455 4.2.1. */
function isHandshake(request: IncomingMessage): boolean {
  const { headers, method } = request
  if (method !== 'GET' || request.httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket') return false
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) return false
  const keys = request.headersDistinct['sec-websocket-key'] ?? []
  return headers['sec-websocket-version'] === '13' && keys.length === 1 && /^[A-Za-z0-9+/]{22}==$/.test(keys[0] ?? '')
}
