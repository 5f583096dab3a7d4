// Replicas of a gateway on one Redis, and sessions of several agents with WebSockets and event streams on each of them: for
// the test and the benchmark of how soon a revocation takes effect everywhere.

import type { Sessions } from '../../src/core/sessions.js'
import { systemClock } from '../../src/runtime/clock.js'
import { openStore } from '../../src/store/open.js'
import { agree, type Desk, startDesk } from './desk.js'
import { type RunningGateway, startGateway } from './gateway.js'
import { openRaw, type RawConnection, rawRequest } from './raw-http.js'
import { type RedisServer, startRedis } from './redis.js'
import { createTestSessions } from './sessions.js'
import { gatewayAcl, silent, storeSettings } from './store-backends.js'
import { frame, openWebSocket, type TestWebSocket } from './websocket.js'

export const adminToken = 'an-admin-token-that-is-long-enough-for-it'
const secret = 'the secret that all replicas share, as long as it has to be'
export const idpSecret = 'the secret of a provider that nobody logs in with'
const prefix = 'revocation:'
const hour = 3_600_000

export interface AgentSession {
  email: string
  cookie: string
  handle: string
  /** The replica that holds its WebSocket. */
  at: RunningGateway
  socket: TestWebSocket
}

export interface ReplicaFleet {
  desk: Desk
  redis: RedisServer
  replicas: RunningGateway[]
  /** The sessions of a replica in this process. */
  sessions: Sessions
  /** A session with an open WebSocket. */
  logIn(email: string, at: RunningGateway): Promise<AgentSession>
  /** An event stream of which the first event has come. */
  stream(agent: AgentSession): Promise<RawConnection>
  /** The status of a request with the agent's cookie. */
  ask(agent: AgentSession, at: RunningGateway): Promise<number>
  /** Until they are restored, messages between replicas are lost; the store answers. */
  cutSubscriptions(): Promise<void>
  restoreSubscriptions(): Promise<void>
  stop(): Promise<void>
}

/** `workers`: processes of each replica. */
export async function startFleet(options: {
  replicas: number
  workers: number
  nearCache: string
  /** More settings of the provider, and the files that they name. */
  provider?: object
  files?: Record<string, string>
}): Promise<ReplicaFleet> {
  const [desk, redis] = await Promise.all([startLiveDesk(), startRedis({ acl: [gatewayAcl(prefix)] })])
  const url = redis.url.replace('//', `//gate:${encodeURIComponent('p@ss:w/rd%')}@`)
  const settings = {
    publicUrl: 'https://desk.example.com',
    listen: '127.0.0.1:0',
    workers: options.workers,
    secrets: [secret],
    desk: { url: desk.url },
    providers: [
      {
        ...{ id: 'corp', type: 'jwt', name: 'Corp', loginUrl: 'https://idp.example.com/login', secrets: [idpSecret] },
        ...options.provider,
      },
    ],
    agents: [{ any: true }],
    sessions: { store: { url, keyPrefix: prefix }, nearCache: options.nearCache },
    ops: { listen: '127.0.0.1:0', adminToken },
    log: { access: false },
  }
  const starting = await Promise.allSettled(
    Array.from({ length: options.replicas }, () => startGateway(settings, { files: options.files ?? {} })),
  )
  const replicas = starting.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const stopAll = () =>
    Promise.all(replicas.map(replica => replica.stop()))
      .then(redis.stop)
      .then(desk.close)
  const failed = starting.find(one => one.status === 'rejected')
  if (failed) {
    await stopAll()
    throw failed.reason
  }
  const store = openStore(storeSettings(url, { keyPrefix: prefix }), { clock: systemClock, log: silent })
  const limits = { idle: 8 * hour, lifetime: 24 * hour }
  const { sessions } = createTestSessions({ store, clock: systemClock, settings: limits, secrets: [secret] })
  let count = 0

  return {
    desk,
    redis,
    replicas,
    sessions,
    async logIn(email, at) {
      const replayKey = { id: `${count++}`, until: Date.now() + hour }
      const from = { address: '192.0.2.7', browser: 'test' }
      const made = await sessions.create({ provider: 'corp', email, replayKey }, { email, roles: [] }, from)
      const cookie = `__Host-deskgate=${made.cookie}`
      const socket = await openWebSocket(at.port, cookie)
      return { email, cookie, handle: made.session.handle, at, socket }
    },
    async stream({ cookie, at }) {
      const connection = openRaw(at.port)
      connection.send(rawRequest('GET /events HTTP/1.1', [`Cookie: ${cookie}`]))
      await connection.until(seen => seen.includes('data:'), 'event')
      return connection
    },
    async ask({ cookie }, at) {
      const answer = await fetch(`${at.url}/tickets`, { headers: { cookie } })
      await answer.arrayBuffer()
      return answer.status
    },
    async cutSubscriptions() {
      await redis.command('ACL', 'SETUSER', 'gate', '-subscribe')
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    },
    async restoreSubscriptions() {
      await redis.command('ACL', 'SETUSER', 'gate', '+subscribe')
    },
    async stop() {
      await store.close()
      await stopAll()
    },
  }
}

/** Answers each WebSocket message, and each event stream with one event and no end. */
async function startLiveDesk(): Promise<Desk> {
  const desk = await startDesk()
  desk.onUpgrade((request, socket) => {
    agree(request, socket)
    socket.on('data', () => socket.write(frame('echo', { opcode: 1 })))
  })
  desk.onRequest((request, response) => {
    desk.seen.length = 0
    if (request.url !== '/events') return response.end('hello')
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
  })
  return desk
}
