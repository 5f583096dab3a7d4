// Two replicas behind haproxy are restarted one after the other while people work: no request fails, nobody is logged out,
// and open WebSockets are closed so that they come back at the other one.

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway } from '../parts/gateway.js'
import { type Haproxy, startHaproxy } from '../parts/haproxy.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { echoIdentity, type SteadyAgent, type SteadyAgents, startSteadyAgents } from '../parts/steady-agents.js'
import { createUserAgent, exchange, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const files = { 'idp.crt': idp.certificate }
const patience = 60_000
const perSecond = 300
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

/** Asks this replica itself, as haproxy does for others, until it says that this was the last answer of the connection. */
async function hearsTheEnd(agent: UserAgent, { port }: Replica): Promise<number> {
  const headers = { host: 'desk.example.com', cookie: agent.cookieHeader('/'), connection: 'keep-alive' }
  for (;;) {
    const { status, headers: said } = await exchange({ port }, '/tickets', { headers })
    if (said.connection === 'close') return status
  }
}

interface Place {
  haproxy: Haproxy
  work: SteadyAgents
  agent: UserAgent
}

async function roll(t: Test, replica: Replica, running: RunningGateway, place: Place): Promise<RunningGateway> {
  const { haproxy, work } = place
  running.child.kill('SIGTERM')
  t.equal(await hearsTheEnd(place.agent, replica), 200, `${replica.name} still answers, with Connection: close`)
  await until(async () => (await haproxy.states())[replica.name] !== 'UP', patience)
  const ended = new Promise(resolve => running.child.once('close', resolve))
  t.equal(running.child.exitCode ?? (await ended), 0, `${replica.name} ends with 0`)
  t.equal(running.stderr(), '')
  t.notOk(
    running.lines.some(({ msg }) => String(msg).includes('open connections closed')),
    'nothing was cut',
  )
  await rm(running.folder, { recursive: true, force: true })
  await work.load.more(perSecond)
  const next = await replica.start()
  await until(async () => (await haproxy.states())[replica.name] === 'UP', patience)
  return next
}

t.test(
  'SIGTERM drains one of two replicas, then the other, at 300 requests a second',
  { skip: missingParts('redis-server', 'haproxy') },
  async t => {
    const [desk, redis] = await Promise.all([startDesk(), startRedis()])
    echoIdentity(desk)
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

    const workers: SteadyAgent[] = []
    for (let count = 0; count < 10; count++) {
      const agent = createUserAgent(publicUrl, haproxy)
      const email = `agent${count}@example.com`
      t.equal((await logIn(agent, idp, { way: 'portal', email })).status, 303)
      workers.push({ email, agent })
    }
    const [first = { email: '', agent: createUserAgent(publicUrl, haproxy) }, ...others] = workers
    const cookie = first.agent.cookieHeader('/')
    const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(haproxy, cookie)))
    const work = startSteadyAgents({ origin: haproxy.url, issuer: publicUrl, workers: [first, ...others], perSecond })
    t.teardown(work.load.stop)
    await work.load.more(perSecond)

    for (const [at, replica] of replicas.entries()) {
      const before = running[at]
      if (before) running[at] = await roll(t, replica, before, { haproxy, work, agent: first.agent })
      if (at === 0) t.ok(sockets.some(({ destroyed }) => destroyed) && sockets.some(({ destroyed }) => !destroyed))
    }
    await until(() => sockets.every(({ destroyed }) => destroyed), patience)
    await work.load.more(perSecond)
    await work.end(t)
  },
)
