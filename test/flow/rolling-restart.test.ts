// Two replicas behind haproxy are restarted one after the other while people work: no request fails, nobody is logged out,
// and open WebSockets are closed so that they come back at the other one.

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/core/clock.js'
import { startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway } from '../parts/gateway.js'
import { type Haproxy, startHaproxy } from '../parts/haproxy.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { startLoad } from '../parts/load.js'
import { missing } from '../parts/parts.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { until } from '../parts/until.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const files = { 'idp.crt': idp.certificate }
const patience = 60_000
/** A third of it for haproxy to notice: 25 checks, or a few on a machine that has other things to do. */
const drain = '15s'

interface Replica {
  name: 'one' | 'two'
  port: number
  opsPort: number
  start(): Promise<RunningGateway>
}

async function plan(name: Replica['name'], settings: Record<string, unknown>): Promise<Replica> {
  const [port, opsPort] = [await freePort(), await freePort()]
  const places = { listen: `127.0.0.1:${port}`, ops: { listen: `127.0.0.1:${opsPort}` } }
  return { name, port, opsPort, start: () => startGateway({ ...settings, ...places }, { files }) }
}

/** An open WebSocket through haproxy, as an agent's page has it. */
async function openSocket({ port }: Haproxy, cookie: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  const lines = ['GET /live HTTP/1.1', 'Host: desk.example.com', `Origin: ${publicUrl}`, `Cookie: ${cookie}`]
  const more = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  socket.write([...lines, ...more, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''].join('\r\n'))
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(head.toString('latin1'))
  socket.on('error', () => {})
  socket.resume()
  return socket
}

async function roll(t: Test, replica: Replica, running: RunningGateway, haproxy: Haproxy): Promise<RunningGateway> {
  running.child.kill('SIGTERM')
  await until(async () => (await haproxy.states())[replica.name] !== 'UP', patience)
  const ended = new Promise(resolve => running.child.once('close', resolve))
  t.equal(running.child.exitCode ?? (await ended), 0, `${replica.name} ends with 0`)
  t.equal(running.stderr(), '')
  t.notOk(
    running.lines.some(({ msg }) => String(msg).includes('were cut')),
    'nothing was cut',
  )
  await rm(running.folder, { recursive: true, force: true })
  const next = await replica.start()
  await until(async () => (await haproxy.states())[replica.name] === 'UP', patience)
  return next
}

t.test('a rolling restart under load', { skip: missing('redis-server', 'haproxy') }, async t => {
  const [desk, redis] = await Promise.all([startDesk(), startRedis()])
  desk.answer((_request, response) => {
    desk.seen.length = 0
    response.end('hello')
  })
  const settings = {
    publicUrl,
    secrets: ['the secret that both replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [idp.settings.portal],
    agents: [{ domains: ['example.com'] }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    log: { access: false },
    drain,
  }
  const replicas = [await plan('one', settings), await plan('two', settings)] as const
  const running = await Promise.all(replicas.map(({ start }) => start()))
  const haproxy = await startHaproxy(replicas)
  t.teardown(async () => {
    await haproxy.stop()
    for (const { child, folder } of running) {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
    await Promise.all([desk.close(), redis.stop()])
  })
  await until(async () => {
    const { one, two } = await haproxy.states()
    return one === 'UP' && two === 'UP'
  }, patience)

  const agents: UserAgent[] = []
  for (let count = 0; count < 10; count++) {
    const agent = createUserAgent(publicUrl, haproxy)
    const { status } = await logIn(agent, idp, { way: 'portal', email: `agent${count}@example.com` })
    t.equal(status, 303)
    agents.push(agent)
  }
  const cookie = agents[0]?.cookieHeader('/') ?? ''
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(haproxy, cookie)))
  const headers = { host: 'desk.example.com', cookie }
  const load = startLoad({ origin: haproxy.url, path: '/tickets', headers, perSecond: 100 })

  for (const [at, replica] of replicas.entries()) {
    const before = running[at]
    if (before) running[at] = await roll(t, replica, before, haproxy)
    if (at === 0) t.ok(sockets.some(({ destroyed }) => destroyed) && sockets.some(({ destroyed }) => !destroyed))
  }
  await until(() => sockets.every(({ destroyed }) => destroyed), patience)
  await load.stop()
  t.same(load.failures, [], 'no request failed')
  t.ok(load.times.length > 500, `${load.times.length} requests`)
  for (const agent of agents) t.equal((await agent.visit('/tickets')).status, 200, 'nobody was logged out')
})
