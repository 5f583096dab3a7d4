// The rendered pod, run here as processes: its check, its gateway, its probes, its test, with its own files; what changes is
// taken, and its end loses nothing.

import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/core/clock.js'
import { type Values, valuesWith } from '../parts/chart-values.js'
import { longSecret } from '../parts/configuration.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { objects, one } from '../parts/helm.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { missing } from '../parts/parts.js'
import { type LaidPod, layPod, type Secrets } from '../parts/pod.js'
import { freePort } from '../parts/ports.js'
import { type RedisServer, startRedis } from '../parts/redis.js'
import { type Started, start } from '../parts/started.js'
import { until } from '../parts/until.js'
import { createUserAgent } from '../parts/user-agent.js'

const skip = missing('helm', 'redis-server')
const root = join(import.meta.dirname, '../..')
const publicUrl = 'https://desk.example.com'
const portal = longSecret('portal')
const idp = createIdentityProvider({ publicUrl, clock: systemClock, secret: portal })
/** In place of the image's: the same program, from its sources. */
const entrypoint = [process.execPath, '--import', import.meta.resolve('tsx'), join(root, 'src/main.ts')]

interface Ground {
  redis: RedisServer
  desk: Desk
  port: number
  values(changes?: Record<string, unknown>): Values
  secrets: Secrets
}

async function prepare(t: Test): Promise<Ground> {
  const [redis, desk] = await Promise.all([startRedis(), startDesk()])
  t.teardown(async () => {
    await desk.close()
    await redis.stop()
  })
  const [port, ops, probes] = [await freePort(), await freePort(), await freePort()]
  const values = (changes: Record<string, unknown> = {}) =>
    valuesWith({
      'config.listen': `0.0.0.0:${port}`,
      'config.ops': { listen: `127.0.0.1:${ops}`, probes: `0.0.0.0:${probes}` },
      'config.desk.url': desk.url,
      'config.agents': [{ file: 'agents.yaml' }],
      'config.drain': '3s',
      preStop: 1,
      files: { 'agents.yaml': '- { email: ada@example.com }\n' },
      ...changes,
    })
  const secrets = { deskgate: { ring: longSecret('ring'), portal, 'redis-url': redis.url } }
  return { redis, desk, port, values, secrets }
}

function launch(t: Test, pod: LaidPod, name: string, extra: Record<string, string> = {}): Started {
  const { argv, env } = pod.container(name, entrypoint)
  const { PATH = '' } = process.env
  const started = start(argv, { cwd: root, env: { PATH, ...env, ...extra } })
  t.teardown(started.end)
  return started
}

const statusOf = (url: string) =>
  fetch(url, { headers: { connection: 'close' } }).then(
    answer => answer.status,
    () => 0,
  )

t.test('a pod from its check to its end', { skip }, async t => {
  const { redis, desk, port, values, secrets } = await prepare(t)
  const rendered = await objects({ values: values() })
  const pod = await layPod(rendered, secrets)
  t.teardown(pod.remove)

  const check = launch(t, pod, 'check')
  t.equal(await check.gone, 0, check.said())

  const gateway = launch(t, pod, 'deskgate')
  await until(async () => (await statusOf(pod.probe('deskgate', 'startup'))) === 200, 60_000)
  await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) === 200, 60_000)
  t.equal(await statusOf(pod.probe('deskgate', 'liveness')), 200)
  const [metrics, api] = ['/metrics', '/api/sessions'].map(path =>
    pod.probe('deskgate', 'liveness').replace('/live', path),
  )
  t.equal(await statusOf(metrics ?? ''), 200)
  t.equal(await statusOf(api ?? ''), 404, 'the API is not where other hosts reach')

  const ada = createUserAgent(publicUrl, { port })
  t.equal((await logIn(ada, idp, { way: 'portal', email: 'ada@example.com' })).status, 303)
  t.equal((await ada.visit('/tickets')).status, 200)

  const bob = createUserAgent(publicUrl, { port })
  t.equal((await logIn(bob, idp, { way: 'portal', email: 'bob@example.com' })).reason, 'agent.unknown')
  const both = { 'agents.yaml': '- { email: ada@example.com }\n- { email: bob@example.com }\n' }
  const changed = await objects({ values: values({ files: both }) })
  const mark = (all: typeof rendered) => one(all, 'Deployment').spec.template
  t.same(mark(changed), mark(rendered), 'no pod is rolled for it')
  await pod.swap(changed, secrets)
  await gateway.says('the configuration was changed')
  t.equal((await logIn(bob, idp, { way: 'portal', email: 'bob@example.com' })).status, 303)

  redis.pause()
  await until(async () => {
    const facts = (await (await fetch(pod.probe('deskgate', 'readiness'))).json()) as { store: string }
    return facts.store === 'down'
  }, 60_000)
  t.equal(await statusOf(pod.probe('deskgate', 'readiness')), 200, 'a fleet is not taken out for its Redis')
  t.equal(await statusOf(pod.probe('deskgate', 'liveness')), 200, 'and no restart mends it')
  redis.resume()
  await until(async () => (await ada.visit('/tickets')).status === 200, 60_000)

  const { lifecycle } = pod.container('deskgate', entrypoint).spec
  const preStop = start(lifecycle?.preStop.exec.command ?? [], { env: process.env })
  t.equal(await preStop.gone, 0)
  let answer = () => {}
  const reached = new Promise<void>(resolve => {
    desk.answer((_request, response) => {
      answer = () => response.end('finished')
      resolve()
    })
  })
  const slow = ada.visit('/slow')
  await reached
  gateway.kill('SIGTERM')
  await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) !== 200, 60_000)
  answer()
  t.match(await slow, { status: 200, body: 'finished' })
  t.equal(await gateway.gone, 0, gateway.said())
})

t.test('a broken configuration does not get past its check, which says what it is', { skip }, async t => {
  const { values, secrets } = await prepare(t)
  const rendered = await objects({ values: values() })
  const short = await layPod(rendered, { deskgate: { ...secrets.deskgate, portal: 'short' } as Record<string, string> })
  t.teardown(short.remove)
  const check = launch(t, short, 'check')
  t.equal(await check.gone, 1)
  t.match(check.said(), /providers\[0\]\.secrets\[0\].*at least 32/)
  await t.rejects(
    layPod(rendered, { deskgate: {} }),
    /has no \w+/,
    'as the kubelet would say of a key that is not there',
  )
})

t.test('helm test passes behind a gateway, and not without one', { skip }, async t => {
  const { desk, port, values, secrets } = await prepare(t)
  const rendered = await objects({ values: values() })
  const pod = await layPod(rendered, secrets)
  t.teardown(pod.remove)
  launch(t, pod, 'deskgate')
  await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) === 200, 60_000)
  const [{ command, args, env }] = one(rendered, 'Pod').spec.containers
  const variables = Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value]))
  t.same(variables.GATEWAY, 'http://desk-deskgate:80')
  t.same(variables.PROBES, 'http://desk-deskgate-probes:9091')
  const test = async (gateway: string) => {
    const PROBES = new URL(pod.probe('deskgate', 'liveness')).origin
    const run = start([...command, ...args], { env: { ...process.env, ...variables, GATEWAY: gateway, PROBES } })
    return { code: await run.gone, said: run.said() }
  }
  t.match(await test(`http://127.0.0.1:${port}`), { code: 0, said: /challenge: Deskgate/ })
  t.match(await test(desk.url), { code: 1, said: 'failed: a program without a session: 200' })
})

t.test('both IP families reach a pod that listens for both', { skip: skip || noIpv6() }, async t => {
  const { port, values, secrets } = await prepare(t)
  const probes = await freePort()
  const listeners = { listen: `127.0.0.1:${await freePort()}`, probes: `[::]:${probes}` }
  const changes = {
    'config.listen': `[::]:${port}`,
    'config.ops': listeners,
    'service.ipFamilyPolicy': 'PreferDualStack',
  }
  const pod = await layPod(await objects({ values: values(changes) }), secrets)
  t.teardown(pod.remove)
  launch(t, pod, 'deskgate')
  await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) === 200, 60_000)
  for (const host of ['127.0.0.1', '::1']) {
    t.equal(await get({ host, port: probes, path: '/ready' }), 200, host)
    t.equal(await get({ host, port, path: '/' }), 401, host)
  }
})

function get(where: { host: string; port: number; path: string }): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(where, answer => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

function noIpv6(): string | false {
  const addresses = Object.values(networkInterfaces()).flatMap(all => all ?? [])
  return addresses.some(({ address }) => address === '::1') ? false : 'this machine has no IPv6'
}
