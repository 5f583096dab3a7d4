// Several workers behind one port, as an operator meets them: one gateway to ask, one line that says that it listens, one
// set of counters; a worker that dies is replaced, and the end is everybody's end.

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { runDeskgate } from '../parts/command.js'
import { startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway, writeConfiguration } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const adminToken = 'the-admin-token-of-the-workers-long-enough'
const files = { 'idp.crt': idp.certificate, token: adminToken }
const base = {
  publicUrl,
  listen: '127.0.0.1:0',
  secrets: ['the secret that all workers share, as long as it has to be'],
  providers: [idp.settings.corp, idp.settings.portal],
  agents: [{ domains: ['example.com'] }],
  ops: { listen: '127.0.0.1:0', adminToken: { file: 'token' } },
}
const skip = missingParts('redis-server')
const patience = 30_000

async function start(t: Test, changes: Record<string, unknown> = {}) {
  const [desk, redis] = await Promise.all([startDesk(), startRedis()])
  t.teardown(async () => {
    await desk.close()
    await redis.stop()
  })
  const sessions = { store: { url: redis.url, keyPrefix: redis.keyPrefix } }
  const settings = { ...base, workers: 2, desk: { url: desk.url, public: ['/open'] }, sessions, ...changes }
  const gateway = await startGateway(settings, { files })
  t.teardown(() => gateway.stop())
  return { desk, redis, gateway, settings }
}

/** The workers' processes by their numbers, as the log says. */
function pids({ lines }: RunningGateway): number[] {
  const said = lines.filter(({ msg }) => msg === 'worker listening')
  return [...new Map(said.map(({ worker, pid }) => [worker, Number(pid)])).values()]
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function readiness({ opsUrl }: RunningGateway) {
  const answer = await fetch(`${opsUrl}/ready`, { headers: { connection: 'close' } })
  return { status: answer.status, ...((await answer.json()) as { ready: boolean; state: string }) }
}

const metricsOf = async ({ opsUrl }: RunningGateway) =>
  (await fetch(`${opsUrl}/metrics`, { headers: { connection: 'close' } })).text()

async function metric(gateway: RunningGateway, line: string): Promise<number> {
  const found = (await metricsOf(gateway)).split('\n').find(text => text.startsWith(`${line} `))
  return Number(found?.slice(line.length + 1))
}

const proxied = 'deskgate_requests_total{outcome="proxied"}'

t.test('two workers', { skip }, async t => {
  const { gateway, desk } = await start(t)
  const ada = createUserAgent(publicUrl, gateway)
  await logIn(ada, idp, { way: 'portal', email: 'ada@example.com' })

  t.test('one line says that it listens, when both do', async t => {
    const said = gateway.lines.filter(({ msg }) => msg === 'listening')
    t.match(said, [{ url: gateway.url, ops: gateway.opsUrl, publicUrl, workers: 2 }])
    t.equal(said.length, 1)
    t.equal(pids(gateway).filter(isAlive).length, 2)
    await until(async () => (await readiness(gateway)).ready === true, patience)
    t.match(await readiness(gateway), { status: 200, state: 'serving', store: 'up', workers: { listening: 2, of: 2 } })
  })

  t.test('both serve, a session is everywhere, and the counters are one', async t => {
    // Each request on a connection of its own: the workers take turns.
    for (let turn = 0; turn < 10; turn++) t.equal((await ada.visit('/tickets')).status, 200)
    const workers = new Set(gateway.lines.filter(({ path }) => path === '/tickets').map(({ worker }) => worker))
    t.same([...workers].sort(), [1, 2], 'and each line says whose it is')
    t.equal(await metric(gateway, proxied), 10)
    t.equal(await metric(gateway, 'deskgate_logins_total{provider="portal",outcome="accepted",reason=""}'), 1)
    t.equal(await metric(gateway, 'deskgate_store_up'), 1)
    t.equal(await metric(gateway, 'deskgate_workers'), 2)
    t.ok((await metric(gateway, 'process_resident_memory_bytes')) > 80e6, 'the memory of both')
    t.match(await metricsOf(gateway), /^deskgate_build_info\{[^}]+\} 1$/m)
    t.equal(await metric(gateway, 'deskgate_request_duration_seconds_count'), await requests(gateway))
  })

  t.test('the API answers the same in whichever worker it meets', async t => {
    const reference = (await logIn(ada, idp, { way: 'portal', email: 'eve@elsewhere.example' })).reference ?? ''
    const headers = { authorization: `Bearer ${adminToken}`, connection: 'close' }
    const ask = () => fetch(`${gateway.opsUrl}/api/logins/${reference}`, { headers })
    await until(async () => (await ask()).status === 200)
    for (let turn = 0; turn < 4; turn++) t.match(await (await ask()).json(), { reference, reason: 'agent.unknown' })
  })

  t.test('a worker that dies is replaced: nobody is logged out, and no counter falls', async t => {
    const counted = await metric(gateway, proxied)
    const [victim = 0, other] = pids(gateway)
    process.kill(victim, 'SIGKILL')
    const line = await gateway.line(({ msg }) => String(msg).startsWith('worker died'))
    t.match(line, { level: 'error', pid: victim, signal: 'SIGKILL', deaths: 1 })
    t.equal((await ada.visit('/tickets')).status, 200, 'the other one serves at once')
    t.equal((await readiness(gateway)).status, 200)
    await gateway.line(({ msg, worker, pid }) => msg === 'worker listening' && worker === line.worker && pid !== victim)
    const now = pids(gateway)
    t.ok(now.includes(other ?? 0) && !now.includes(victim) && now.filter(isAlive).length === 2)
    for (let turn = 0; turn < 4; turn++) t.equal((await ada.visit('/tickets')).status, 200)
    t.ok((await metric(gateway, proxied)) >= counted + 5, 'what the dead one had counted is kept')
    t.equal(await metric(gateway, 'deskgate_worker_restarts_total'), 1)
    t.equal(await metric(gateway, 'deskgate_workers'), 2)
    t.equal(gateway.lines.filter(({ msg }) => msg === 'listening').length, 1)
  })

  t.test('a signal to the whole group is heard once; what is under way finishes, and it ends with 0', async t => {
    let finish = () => {}
    desk.onRequest((_request, response) => {
      response.write('first, ')
      finish = () => void response.end('last')
    })
    const reached = desk.seen.length
    const underWay = ada.visit('/report')
    await until(() => desk.seen.length > reached)
    for (const pid of pids(gateway)) process.kill(pid, 'SIGINT')
    const ended = gateway.stop()
    await until(() => isRefused(Number(new URL(gateway.url).port)))
    finish()
    t.match(await underWay, { status: 200, body: 'first, last' })
    t.equal(await ended, 0)
    t.equal(gateway.stderr(), '', 'and it has nothing to complain of')
  })
})

/** Asks nothing: a connection that arrives while the last worker closes is accepted, and answered by nobody. */
function isRefused(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(true))
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
}

async function requests(gateway: RunningGateway): Promise<number> {
  const lines = (await metricsOf(gateway)).split('\n').filter(line => line.startsWith('deskgate_requests_total{'))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

t.test('on a Unix socket; a second signal ends all at once', { skip }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-workers-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'gateway.sock')
  const { gateway, desk } = await start(t, { listen: `unix:${path}` })
  t.match(
    gateway.lines.find(({ msg }) => msg === 'listening'),
    { url: `unix:${path}` },
  )
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ socketPath: path, path: '/open', agent: false }, answer => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
      asked.on('error', reject).end()
    })
  for (let turn = 0; turn < 6; turn++) t.equal(await ask(), 200)
  const lines = () => gateway.lines.filter(({ path }) => path === '/open')
  await until(() => lines().length === 6)
  t.equal(new Set(lines().map(({ worker }) => worker)).size, 2)

  desk.onRequest(() => {})
  const reached = desk.seen.length
  const stuck = ask().catch(() => 'cut')
  await until(() => desk.seen.length > reached)
  gateway.child.kill('SIGTERM')
  await gateway.line(({ msg }) => msg === 'draining')
  t.match(await readiness(gateway), { status: 503, state: 'draining' }, 'the first is the beginning of the drain')
  gateway.child.kill('SIGTERM')
  t.not(await gateway.stop(), 0)
  t.equal(await stuck, 'cut')
  await until(() => !pids(gateway).some(isAlive))
})

t.test('a start that cannot succeed ends with 1, says so once, and is not tried again', { skip }, async t => {
  const [desk, redis] = await Promise.all([startDesk(), startRedis()])
  const other = await startDesk()
  const settings = { ...base, workers: 3, desk: { url: desk.url }, sessions: { store: redis.url } }
  t.teardown(async () => {
    await Promise.all([desk.close(), other.close(), redis.stop()])
  })
  const { folder, file } = await writeConfiguration({ ...settings, listen: `127.0.0.1:${other.port}` }, files)
  t.teardown(() => rm(folder, { recursive: true }))
  const ended = await runDeskgate(['serve', '--config', file])
  t.equal(ended.code, 1)
  t.match(ended.stderr, /^deskgate: worker 1: .*EADDRINUSE.*\n$/)
  t.notMatch(ended.stdout, 'a worker has died')
  const broken = await writeConfiguration({ ...settings, nonsense: 1 }, files)
  t.teardown(() => rm(broken.folder, { recursive: true }))
  const refused = await runDeskgate(['serve', '--config', broken.file])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /^[^\n]*nonsense[^\n]*\n$/, 'and a bad configuration is said by the first process alone')
})
