// What a changed configuration does: reload inPlace with its copies, reload roll with ConfigMaps named after their content, a
// ConfigMap of the operator's own, and the check before anything is changed.

import t, { type Test } from 'tap'
import { valuesWith } from '../parts/chart-values.js'
import { startProgram } from '../parts/child-process.js'
import { type KubeObject, objectOf, objects } from '../parts/helm.js'
import { layOutPod } from '../parts/pod.js'
import { createLauncher, fromSources, preparePod, statusOf } from '../parts/pod-environment.js'
import { missingParts } from '../parts/required-parts.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('helm')
const render = (changes: Record<string, unknown> = {}) => objects({ values: valuesWith(changes) })
const podOf = (all: KubeObject[]) => objectOf(all, 'Deployment').spec.template.spec
const configOf = (all: KubeObject[]) =>
  podOf(all).volumes.find(({ name }: { name: string }) => name === 'config').configMap.name
const namesOf = (all: KubeObject[]) =>
  all.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name)
const agents = (name: string) => ({ files: { 'agents.yaml': `- { email: ${name}@example.com }\n` } })

t.test('inPlace: one ConfigMap and its copy, and pods that no change rolls', { skip }, async t => {
  const [before, after] = [await render(agents('ana')), await render(agents('ben'))]
  t.same(namesOf(before), ['desk-deskgate', 'desk-deskgate-copy-1', 'desk-deskgate-check'])
  t.same(podOf(after), podOf(before))
  const [live, copy] = namesOf(before).map(name => objectOf(before, 'ConfigMap', name))
  t.same(copy?.data, live?.data)
  t.match(copy?.metadata.annotations, { 'deskgate/content': /^[0-9a-f]{10}$/, 'deskgate/revision': '1' })
  for (const container of [podOf(before).initContainers[0], podOf(before).containers[0]]) {
    t.match(container.args.slice(3), ['--fallback', '/etc/deskgate/copies/1/deskgate.yaml'])
  }
  const copies = podOf(before).volumes.filter(({ name }: { name: string }) => name.startsWith('copy'))
  t.equal(copies.length, 3)
  for (const { configMap } of copies) t.equal(configMap.optional, true)
})

t.test('roll: the pods mount a ConfigMap that is named after its content and cannot change', { skip }, async t => {
  const [before, after] = [
    await render({ reload: 'roll', ...agents('ana') }),
    await render({ reload: 'roll', ...agents('ben') }),
  ]
  t.match(configOf(before), /^desk-deskgate-[0-9a-f]{10}$/)
  t.not(configOf(after), configOf(before))
  t.equal(configOf(await render({ reload: 'roll', ...agents('ana') })), configOf(before))
  t.equal(objectOf(before, 'ConfigMap', configOf(before)).immutable, true)
  t.same(namesOf(before), [configOf(before), 'desk-deskgate-check'])
  t.notMatch(podOf(before).containers[0].args, ['--fallback'])
})

t.test("a ConfigMap of the operator's own", { skip }, async t => {
  const own = { config: { publicUrl: 'https://desk.example.com' }, existingConfigMap: 'mine', replicas: 2 }
  const all = await render(own)
  t.equal(configOf(all), 'mine')
  t.same(namesOf(all), [])
  t.equal(objectOf(all, 'Ingress').spec.rules[0].host, 'desk.example.com')
  t.match(objectOf(all, 'Deployment').spec.strategy, { type: 'RollingUpdate' })
  const [config] = objectOf(all, 'Job').spec.template.spec.volumes
  t.match(config.configMap, { name: 'mine', optional: true })
})

t.test('the check runs before anything else, with objects of its own', { skip }, async t => {
  const values = { 'secrets.existingSecret': '', 'secrets.keys': {} }
  const all = await render({ ...values, 'secrets.values': { ring: 'r', portal: 'p', 'redis-url': 'redis://redis' } })
  const hooks = all.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'pre-install,pre-upgrade')
  const weight = ({ metadata }: KubeObject) => Number(metadata.annotations?.['helm.sh/hook-weight'])
  t.same(hooks.map(({ kind }) => kind).sort(), ['ConfigMap', 'Job', 'Secret', 'ServiceAccount'])
  const { template } = objectOf(all, 'Job').spec
  for (const object of hooks) {
    t.equal(object.metadata.name, 'desk-deskgate-check')
    if (object.kind !== 'Job') t.ok(weight(object) < weight(objectOf(all, 'Job')), 'what it needs is there first')
  }
  t.equal(template.spec.serviceAccountName, 'desk-deskgate-check')
  const needed = JSON.stringify(template.spec.volumes)
  t.notMatch(needed, '"desk-deskgate"', 'nothing of the release is there yet')
  t.notMatch(needed, 'desk-deskgate-values')
  t.notMatch(
    template.metadata.labels,
    objectOf(all, 'Deployment').spec.selector.matchLabels,
    'no Service sends it requests',
  )
  t.notOk((await render({ 'check.hook': false })).some(({ kind }) => kind === 'Job'))
})

/** The Job's container, run here: with the files that the release would have. */
async function checked(t: Test, { secrets, changes = {}, strict = 'false' }: Checked) {
  const rendered = await render({ 'config.sessions': undefined, replicas: 1, ...changes })
  const pod = await layOutPod(rendered, {
    deskgate: { ring: 'r'.repeat(40), portal: 'p'.repeat(40), 'redis-url': 'x' },
  })
  t.teardown(pod.remove)
  const { args, env } = objectOf(rendered, 'Job').spec.template.spec.containers[0]
  const variables: Record<string, string> = Object.fromEntries(
    env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  )
  const here = (text = '') => text.replaceAll('/etc/deskgate/', `${pod.folder}/etc/deskgate/`)
  const files = secrets ? here(variables.FILES) : JSON.stringify(['/nowhere/ring'])
  // The sources in place of the image's program.
  const script = args[0].replace(
    "'dist/main.js'",
    fromSources
      .slice(1)
      .map(word => `'${word}'`)
      .join(', '),
  )
  const run = startProgram(['node', '--input-type=module', '-e', script], {
    env: { PATH: process.env.PATH, CONFIG: here(variables.CONFIG), FILES: files, STRICT: strict },
  })
  return { code: await run.exitCode, said: run.output() }
}

interface Checked {
  secrets: boolean
  changes?: Record<string, unknown>
  strict?: string
}

t.test('the check says what is wrong, and waits for no Secret', { skip }, async t => {
  t.match(await checked(t, { secrets: true }), { code: 0, said: 'The configuration is valid.' })
  const changes = { 'config.agents': [{ file: 'agents.yaml' }], files: { 'agents.yaml': '- { email: nobody }\n' } }
  t.match(await checked(t, { secrets: true, changes }), {
    code: 1,
    said: /agents\.yaml:1:\d+ [\s\S]*nothing has been changed/,
  })
  t.match(await checked(t, { secrets: false }), { code: 0, said: 'not checked, because the Secret or ConfigMap' })
  t.match(await checked(t, { secrets: false, strict: 'true' }), { code: 1, said: 'missing: /nowhere/ring' })
})

t.test(
  'a pod whose ConfigMap is broken starts with a copy',
  { skip: missingParts('helm', 'redis-server') },
  async t => {
    const { values, secrets } = await preparePod(t)
    const rendered = await objects({ values: values() })
    const live = objectOf(rendered, 'ConfigMap', 'desk-deskgate')
    const text = live.data?.['deskgate.yaml'] ?? ''
    live.data = { ...live.data, 'deskgate.yaml': `${text}nonsense: 1\n` }
    const pod = await layOutPod(rendered, secrets)
    t.teardown(pod.remove)
    const launch = createLauncher(t, pod)
    const check = launch('check')
    t.equal(await check.exitCode, 0)
    t.match(check.output(), /nonsense[\s\S]*INVALID; using \S+\/copies\/1\/deskgate\.yaml/)

    const gateway = launch('deskgate')
    await until(async () => (await statusOf(pod.probe('deskgate', 'readiness'))) === 200, 60_000)
    await gateway.waitForOutput('configuration rejected, keeping the previous one')
    const facts = async () => (await (await fetch(pod.probe('deskgate', 'readiness'))).json()) as { config: string }
    t.match(await facts(), { config: 'rejected', problems: [/nonsense/] })
    live.data['deskgate.yaml'] = `${text}site: fixed\n`
    await pod.swap(rendered, secrets)
    await until(async () => (await facts()).config === 'current', 60_000)
    await gateway.waitForOutput('configuration changed')
  },
)

t.test('all copies are broken too: it does not start', { skip: missingParts('helm', 'redis-server') }, async t => {
  const { values, secrets } = await preparePod(t)
  const rendered = await objects({ values: values() })
  const pod = await layOutPod(rendered, { deskgate: { ...secrets.deskgate, portal: 'short' } })
  t.teardown(pod.remove)
  for (const name of ['check', 'deskgate']) {
    const run = createLauncher(t, pod)(name)
    t.equal(await run.exitCode, 1, name)
    t.equal(run.output().match(/at least 32/g)?.length, 2, 'of both files')
  }
})
