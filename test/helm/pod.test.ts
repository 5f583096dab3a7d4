// What the rendered pod says against files that are wrong, what `helm test` asks of it, and both IP families. Its life as a
// whole is in pod-life.test.ts.

import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { startProgram } from '../parts/child-process.js'
import { objectOf, objects } from '../parts/helm.js'
import { layOutPod } from '../parts/pod.js'
import { createLauncher, preparePod, statusOf } from '../parts/pod-environment.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('helm', 'redis-server')

t.test('a broken configuration does not get past its check, which says what it is', { skip }, async t => {
  const { values, secrets } = await preparePod(t)
  const rendered = await objects({ values: values() })
  const short = await layOutPod(rendered, { deskgate: { ...secrets.deskgate, portal: 'short' } })
  t.teardown(short.remove)
  const check = createLauncher(t, short)('check')
  t.equal(await check.exitCode, 1)
  t.match(check.output(), /providers\[0\]\.secrets\[0\].*at least 32/)
  await t.rejects(
    layOutPod(rendered, { deskgate: {} }),
    /has no \w+/,
    'as the kubelet would say of a key that is not there',
  )
})

t.test('helm test passes behind a gateway, and not without one', { skip }, async t => {
  const { desk, port, values, secrets } = await preparePod(t)
  const rendered = await objects({ values: values() })
  const pod = await layOutPod(rendered, secrets)
  t.teardown(pod.remove)
  createLauncher(t, pod)('deskgate')
  await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) === 200, 60_000)
  const [{ command, args, env }] = objectOf(rendered, 'Pod').spec.containers
  const variables = Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value]))
  t.same(variables.GATEWAY, 'http://desk-deskgate:80')
  t.same(variables.PROBES, 'http://desk-deskgate-probes:9091')
  const test = async (gateway: string) => {
    const PROBES = new URL(pod.probe('deskgate', 'liveness')).origin
    const run = startProgram([...command, ...args], { env: { ...process.env, ...variables, GATEWAY: gateway, PROBES } })
    return { code: await run.exitCode, said: run.output() }
  }
  t.match(await test(`http://127.0.0.1:${port}`), { code: 0, said: /challenge: Deskgate/ })
  t.match(await test(desk.url), { code: 1, said: 'failed: a program without a session: 200' })
})

t.test('both IP families reach a pod that listens for both', { skip: skip || noIpv6() }, async t => {
  const { port, values, secrets } = await preparePod(t)
  const probes = await freePort()
  const adminToken = { file: '/etc/deskgate/secrets/token' }
  const listeners = { listen: `127.0.0.1:${await freePort()}`, probes: `[::]:${probes}`, adminToken }
  const changes = {
    'config.listen': `[::]:${port}`,
    'config.ops': listeners,
    'service.ipFamilyPolicy': 'PreferDualStack',
  }
  const pod = await layOutPod(await objects({ values: values(changes) }), secrets)
  t.teardown(pod.remove)
  createLauncher(t, pod)('deskgate')
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
