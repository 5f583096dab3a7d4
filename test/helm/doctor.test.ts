// `helm test` with test.doctor: the pod opens the rehearsal in a gateway of its own, and logs in at the one that serves.

import t, { type Test } from 'tap'
import { createAuthority } from '../parts/certificates.js'
import { valuesWith } from '../parts/chart-values.js'
import { startProgram } from '../parts/child-process.js'
import { startFaultyFront } from '../parts/faulty-front.js'
import { type KubeObject, objectOf, objects } from '../parts/helm.js'
import { layOutPod } from '../parts/pod.js'
import { createLauncher, fromSources, preparePod, statusOf } from '../parts/pod-environment.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('helm', 'redis-server', 'openssl')
const token = { file: '/etc/deskgate/secrets/token' }

t.test('it is a pod of its own, only where it is wanted', { skip: missingParts('helm') }, async t => {
  const pods = (all: KubeObject[]) => all.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => metadata.name)
  t.same(pods(await objects({ values: valuesWith({}) })), ['desk-deskgate-test'])
  const values = valuesWith({ 'test.doctor': true, 'config.ops': { adminToken: { file: `${token.file}` } } })
  Object.assign(values, { secrets: { existingSecret: 'deskgate' } })
  const all = await objects({ values })
  t.same(pods(all).sort(), ['desk-deskgate-doctor', 'desk-deskgate-test'])
  const [serving, pod] = [objectOf(all, 'Deployment').spec.template, objectOf(all, 'Pod', 'desk-deskgate-doctor')]
  t.same(pod.spec.serviceAccountName, serving.spec.serviceAccountName)
  t.same(pod.spec.securityContext, serving.spec.securityContext)
  t.same(pod.spec.volumes, serving.spec.volumes)
  const [{ securityContext, volumeMounts }] = pod.spec.containers
  t.same(
    { securityContext, volumeMounts },
    {
      securityContext: serving.spec.containers[0].securityContext,
      volumeMounts: serving.spec.containers[0].volumeMounts,
    },
  )
  t.notMatch(pod.metadata.labels, objectOf(all, 'Deployment').spec.selector.matchLabels, 'no Service sends it requests')
})

/** The gateway of the release behind a front, and the pod of the test, whose own gateway has other ports on this host. */
async function open(t: Test) {
  const authority = await createAuthority()
  t.teardown(authority.remove)
  const { desk, port, values, secrets } = await preparePod(t)
  desk.onRequest((_, response) => response.writeHead(200, { 'X-Frame-Options': 'SAMEORIGIN' }).end('hello'))
  const at = await freePort()
  const changes = {
    'config.publicUrl': `https://localhost:${at}`,
    'config.trustedProxies': ['127.0.0.2/32'],
    ingress: {},
  }
  const served = await layOutPod(await objects({ values: values(changes) }), secrets)
  t.teardown(served.remove)
  createLauncher(t, served)('deskgate')
  await until(async () => (await statusOf(served.probe('deskgate', 'readiness'))) === 200, 60_000)
  const front = await startFaultyFront(at, { gateway: () => port, tls: await authority.issue(['localhost']) })
  t.teardown(front.close)

  const [listen, ops, probes] = [await freePort(), await freePort(), await freePort()]
  const listeners = { listen: `127.0.0.1:${ops}`, probes: `0.0.0.0:${probes}`, adminToken: token }
  const own = { 'config.listen': `127.0.0.1:${listen}`, 'config.ops': listeners, 'test.doctor': true }
  const rendered = await objects({ values: values({ ...changes, ...own, 'config.listen': `0.0.0.0:${listen}` }) })
  const pod = await layOutPod(rendered, secrets)
  t.teardown(pod.remove)
  const [{ command, args, env }] = objectOf(rendered, 'Pod', 'desk-deskgate-doctor').spec.containers
  const variables = Object.fromEntries(
    env.map(({ name, value }: { name: string; value: string }) => [
      name,
      value.replace(/^(?=\/etc\/deskgate\/)/, pod.folder),
    ]),
  )
  const program = fromSources.slice(1).map(word => `'${word}'`)
  const script = args[0].replace("'dist/main.js'", program.join(', '))
  const run = async (more: Record<string, string> = {}) => {
    const { PATH = '' } = process.env
    const all = { PATH, ...variables, NODE_EXTRA_CA_CERTS: authority.certFile, ...more }
    const started = startProgram([...command, script], { env: all })
    return { code: await started.exitCode, said: started.output() }
  }
  return { front, run, listen: `http://127.0.0.1:${listen}/` }
}

t.test('a whole login through the front, and a front with a fault', { skip }, async t => {
  const { front, run, listen } = await open(t)
  const { code, said } = await run()
  t.equal(code, 0, said)
  for (const check of ['session store', 'TLS', 'cross-site POST', 'WebSocket', 'event stream', "Desk's first page"])
    t.match(said, new RegExp(`^  ok    ${check} `, 'm'))
  t.equal(await statusOf(listen), 0, 'its own gateway is gone')
  front.fault = { noUpgrade: true }
  t.match(await run(), { code: 1, said: /^ {2}FAIL {2}WebSocket .*HTTP 400 instead of an upgrade/m })
  t.match(await run({ CONFIG: '/nowhere.yaml' }), {
    code: 1,
    said: /failed: the gateway of this pod has exited with code 1/,
  })
})
