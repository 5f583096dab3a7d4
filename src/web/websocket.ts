// WebSocket: every upgrade goes through the same door and the same guard as a request, and its Origin must be ours. An
// open one lives no longer than its session; closing it is our part, because nothing else of it passes here again.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock, Handle, Session, Sessions } from '../core/contracts.js'
import { StoreUnavailable } from '../core/errors.js'
import type { Metrics } from '../ops/metrics.js'
import type { Entrance } from './entrance.js'
import { refuseSocket } from './refuse.js'
import type { Decision, Trouble, Visit } from './visit.js'

export interface UpgradeDeps {
  entrance: Pick<Entrance, 'arrive' | 'leave'>
  sessions: Pick<Sessions, 'read' | 'onEnd'>
  clock: Clock
  metrics: Pick<Metrics, 'websocketOpened' | 'websocketClosed'>
}

export interface Upgrades {
  /**
   * Closes the WebSockets whose sessions have ended by now, or whose agents have other roles than when they were opened: what
   * Desk was told at the handshake would hold for good. A store that is down ends none before its absolute end.
   */
  sweep(): Promise<void>
  /** Cuts every open WebSocket. */
  closeAll(): void
}

/** How often ended sessions are looked for, in milliseconds. */
const sweepEvery = 30_000

export function attachUpgrades(server: Server, deps: UpgradeDeps): Upgrades {
  const { entrance, sessions, clock, metrics } = deps
  const open = new Map<Duplex, Session | undefined>()

  const cut = (which: (session: Session | undefined) => boolean) => {
    for (const [socket, session] of open) if (which(session)) socket.destroy()
  }

  const sweep = async () => {
    const now = clock.now()
    cut(session => session !== undefined && session.endsAt <= now)
    const handles = new Set<Handle>()
    for (const session of open.values()) if (session) handles.add(session.handle)
    for (const handle of handles) {
      const now = await look(sessions, handle)
      if (now === 'unknown') continue
      cut(session => session?.handle === handle && !(now && sameRoles(session, now)))
    }
  }

  const pass = (request: IncomingMessage, socket: Duplex, head: Buffer, visit: Visit) => {
    // Kept from here on: a session that ends while Desk still thinks about the handshake ends this one too.
    open.set(socket, visit.session)
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
      visit.session = decision
      if (!visit.generation.street.guard.permits(decision.agent, 'GET', visit.target)) return refused('forbidden')
      visit.outcome = 'proxied'
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

function sameRoles(a: Session, b: Session): boolean {
  return a.agent.roles.length === b.agent.roles.length && a.agent.roles.every((role, i) => role === b.agent.roles[i])
}

async function look(sessions: Pick<Sessions, 'read'>, handle: Handle): Promise<Session | undefined | 'unknown'> {
  try {
    return await sessions.read(handle)
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'unknown'
    throw error
  }
}
