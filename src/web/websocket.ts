// WebSocket: every upgrade goes through the same door and the same guard as a request, and its Origin must be ours. An
// open one lives no longer than its session; closing it is our part, because nothing else of it passes here again.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ApiCaller, Clock, Handle, Session, Sessions } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import { statusOf } from '../core/reasons.js'
import type { Metrics } from '../ops/metrics.js'
import type { Entrance } from './entrance.js'
import { admitted } from './guard.js'
import { refuseBearerSocket, refuseSocket } from './refuse.js'
import type { Decision, Trouble, Visit } from './visit.js'

export interface UpgradeDeps {
  entrance: Pick<Entrance, 'current' | 'arrive' | 'leave'>
  sessions: Pick<Sessions, 'read' | 'onEnd'>
  clock: Clock
  metrics: Pick<Metrics, 'websocketOpened' | 'websocketClosed'>
}

export interface Upgrades {
  /**
   * Closes the WebSockets whose sessions have ended by now, and those whose bearer token would be refused now. A store, a
   * directory or keys that are away end none before its absolute end.
   */
  sweep(): Promise<void>
  /** Cuts every open WebSocket. */
  closeAll(): void
}

/** How often ended sessions are looked for, in milliseconds. */
const sweepEvery = 30_000

export function attachUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const { entrance, sessions, clock, metrics } = deps
  const open = new Map<Duplex, { session: Session | undefined; api: ApiCaller | undefined; request: IncomingMessage }>()

  const cut = (which: (session: Session | undefined) => boolean) => {
    for (const [socket, { session }] of open) if (which(session)) socket.destroy()
  }

  const sweepBearers = async () => {
    for (const [socket, { api, request }] of open) {
      if (api && (api.endsAt <= clock.now() || (await opensNothing(entrance, request)))) socket.destroy()
    }
  }

  const sweep = async () => {
    const now = clock.now()
    cut(session => session !== undefined && session.endsAt <= now)
    await sweepBearers()
    const handles = new Set<Handle>()
    for (const { session } of open.values()) if (session) handles.add(session.handle)
    for (const handle of handles) {
      if ((await look(sessions, handle)) === 'ended') cut(session => session?.handle === handle)
    }
  }

  const pass = (request: IncomingMessage, socket: Duplex, head: Buffer, visit: Visit) => {
    // Kept from here on: a session that ends while Desk still thinks about the handshake ends this one too.
    open.set(socket, { session: visit.session, api: visit.api, request })
    let status: number | undefined
    socket.on('close', () => {
      open.delete(socket)
      if (status === 101) metrics.websocketClosed()
      if (status === undefined) entrance.leave(request, 499)
    })
    visit.generation.street.upgrade(request, socket, head, visit, answered => {
      status = answered
      if (status === 101) metrics.websocketOpened()
      entrance.leave(request, status)
    })
  }

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const { visit, place, trouble } = entrance.arrive(request)
    const refused = (why: Trouble) => entrance.leave(request, refuseSocket(why, request, socket, visit))
    const settle = (decision: Decision) => {
      if (socket.destroyed) return
      if (decision === 'challenge') return refused('challenge')
      if (decision === 'unavailable') return refused('store_unavailable')
      if ('tell' in decision) return entrance.leave(request, refuseBearerSocket(decision, socket, visit))
      admitted(visit, decision)
      if (!visit.generation.street.guard.permits(decision.agent, 'GET', visit.target)) return refused('forbidden')
      pass(request, socket, head, visit)
    }
    const why = trouble ?? handshakeTrouble(request, visit, place)
    if (why !== undefined) return refused(why)
    if (place === 'public') {
      visit.outcome = 'public'
      return pass(request, socket, head, visit)
    }
    const decision = visit.generation.street.guard.decide(request, visit.target)
    if (!(decision instanceof Promise)) return settle(decision)
    decision.then(settle).catch(() => refused('internal'))
  }

  server.on('upgrade', onUpgrade)
  sessions.onEnd(handle => cut(session => session?.handle === handle))
  const timer = setInterval(() => sweep().catch(() => {}), sweepEvery)
  timer.unref()
  server.on('close', () => clearInterval(timer))
  return { sweep, closeAll: () => cut(() => true) }
}

function handshakeTrouble(request: IncomingMessage, visit: Visit, place: string): Trouble | undefined {
  if (place !== 'public' && place !== 'protected') return 'not_found'
  if (!isHandshake(request)) return 'bad_request'
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

/** Asks the guard again, as if the handshake came now: the token, the directory and the rules. */
async function opensNothing({ current, arrive }: UpgradeDeps['entrance'], request: IncomingMessage): Promise<boolean> {
  const decision = await current().street.guard.decide(request, arrive(request).visit.target)
  return typeof decision === 'object' && 'tell' in decision && statusOf(decision.reason) !== 503
}

async function look(sessions: Pick<Sessions, 'read'>, handle: Handle): Promise<'live' | 'ended'> {
  try {
    return (await sessions.read(handle)) ? 'live' : 'ended'
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'live'
    throw error
  }
}
