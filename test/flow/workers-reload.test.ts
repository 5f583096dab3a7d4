// Several workers and a change of the settings: whichever way it is asked for, all of them answer by it, also one that has
// just taken another's place.

import { readFile, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway } from '../parts/gateway.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { exchange } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const adminToken = 'the-admin-token-of-the-workers-long-enough'
const patience = 30_000
const headers = { authorization: `Bearer ${adminToken}`, connection: 'close' }

async function start(t: Test) {
  const [desk, redis] = await Promise.all([startDesk(), startRedis()])
  t.teardown(async () => {
    await desk.close()
    await redis.stop()
  })
  const settings = (path: string) => ({
    publicUrl: 'https://desk.example.com',
    listen: '127.0.0.1:0',
    workers: 2,
    secrets: ['the secret that all workers share, as long as it has to be'],
    desk: { url: desk.url, public: ['/open', path] },
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    providers: [],
    agents: [{ domains: ['example.com'] }],
    login: { alsoAllowDeskAuthentication: { paths: ['/login'], whoami: '/me', email: '/email', cookie: '_desk' } },
    ops: { listen: '127.0.0.1:0', adminToken: { file: 'token' } },
  })
  const gateway = await startGateway(settings('/first'), { files: { token: adminToken } })
  t.teardown(() => gateway.stop())
  const write = (path: string) => writeFile(gateway.file, JSON.stringify(settings(path), null, 2))
  return { gateway, write }
}

/** What both workers say of a path: each request on a connection of its own, and the workers take turns. */
async function answers({ port }: RunningGateway, path: string): Promise<number[]> {
  const found: number[] = []
  for (let turn = 0; turn < 4; turn++) {
    const asked = { headers: { host: 'desk.example.com', connection: 'close' } }
    found.push((await exchange({ port }, path, asked)).status)
  }
  return found
}

const all = (gateway: RunningGateway, path: string, status: number) =>
  until(async () => (await answers(gateway, path)).every(seen => seen === status), patience)

/** The workers that have said that they read the configuration because of this; a file that has changed is another cause. */
const told = ({ lines }: RunningGateway, cause: string) =>
  [...new Set(lines.filter(line => line.cause === cause).map(({ worker }) => worker))].sort()

t.test('reloads with two workers', { skip: missingParts('redis-server') }, async t => {
  const { gateway, write } = await start(t)
  await all(gateway, '/first', 200)
  t.same(await answers(gateway, '/second'), [401, 401, 401, 401])

  t.test('SIGHUP to the first process reaches all of them', async t => {
    await write('/second')
    gateway.child.kill('SIGHUP')
    await until(() => told(gateway, 'signal').length === 2, patience)
    await all(gateway, '/second', 200)
    await all(gateway, '/first', 401)
    t.equal(gateway.child.exitCode, null)
  })

  t.test('POST /api/reload to one reaches all of them', async t => {
    await write('/third')
    const answer = await fetch(`${gateway.opsUrl}/api/reload`, { method: 'POST', headers })
    t.equal(answer.status, 200)
    await until(() => told(gateway, 'api').length === 2, patience)
    await all(gateway, '/third', 200)
    await all(gateway, '/second', 401)
  })

  t.test('without the token, and with a wrong one, nothing is read', async t => {
    const before = gateway.lines.filter(({ cause }) => cause === 'api').length
    for (const bad of [{}, { authorization: 'Bearer wrong' }]) {
      const asked = { method: 'POST', headers: { connection: 'close', ...bad } }
      t.equal((await fetch(`${gateway.opsUrl}/api/reload`, asked)).status, 401)
    }
    t.equal(gateway.lines.filter(({ cause }) => cause === 'api').length, before)
  })

  t.test('a bad one is refused by all, and said once for all workers', async t => {
    const good = await readFile(gateway.file, 'utf8')
    await writeFile(gateway.file, '{"nonsense": 1}')
    gateway.child.kill('SIGHUP')
    const readiness = async () => {
      const answer = await fetch(`${gateway.opsUrl}/ready`, { headers: { connection: 'close' } })
      return { status: answer.status, ...((await answer.json()) as { config: string }) }
    }
    await until(async () => (await readiness()).config === 'rejected', patience)
    t.match(await readiness(), { status: 200, config: 'rejected' })
    t.same(await answers(gateway, '/third'), [200, 200, 200, 200])
    await writeFile(gateway.file, good)
    gateway.child.kill('SIGHUP')
    await until(async () => (await readiness()).config === 'current', patience)
  })

  t.test('a worker that takes the place of one that died answers by what counts now', async t => {
    const said = () => gateway.lines.filter(({ msg }) => msg === 'worker listening')
    const before = said().length
    process.kill(Number(said().at(-1)?.pid), 'SIGKILL')
    await write('/fourth')
    gateway.child.kill('SIGHUP')
    await until(() => said().length > before, patience)
    await all(gateway, '/fourth', 200)
    await all(gateway, '/third', 401)
    t.equal(gateway.stderr(), '')
  })
})
