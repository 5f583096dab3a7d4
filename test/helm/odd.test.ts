// Values that are odd, and right: names of digits, lists left empty, a chart among others. What comes out is still YAML that
// says what is meant.

import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { goodValues, valuesWith } from '../parts/chart-values.js'
import { chart, helms, type KubeObject, objectOf, objects, parseObjects, runHelm } from '../parts/helm.js'
import { schemaProblem } from '../parts/kubernetes.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm', 'helm3')
const everything = {
  ...{ 'networkPolicy.enabled': true, 'networkPolicy.ingressFrom': [{ podSelector: {} }] },
  ...{ 'autoscaling.enabled': true, 'serviceMonitor.enabled': true, 'prometheusRule.enabled': true },
  ...{ 'networkPolicy.metricsFrom': [{ podSelector: {} }], 'dashboard.enabled': true },
  ...{ 'deskNetworkPolicy.enabled': true, 'deskNetworkPolicy.podLabels': { app: 'desk' } },
}

/** Whole texts, so that what a parser would forgive is not forgiven: a number for a name, a key that is there twice. */
async function rendered(t: Test, release: string, namespace: string, changes: Record<string, unknown>) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-odd-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'values.yaml')
  await writeFile(file, JSON.stringify(valuesWith(changes)))
  const args = ['template', release, chart, '--namespace', namespace, '--values', file]
  const texts = await Promise.all(helms.map(helm => runHelm(helm, args)))
  const [four = [], three = []] = texts.map(({ code, stdout, stderr }) => {
    t.equal(code, 0, stderr)
    return parseObjects(stdout)
  })
  t.strictSame(four, three, 'both Helms say the same')
  for (const object of four) t.equal(schemaProblem(object), undefined)
  return four
}

const labelsOf = (all: KubeObject[]) => [
  ...all.map(({ metadata }) => metadata.labels ?? {}),
  objectOf(all, 'Deployment').spec.template.metadata.labels,
  objectOf(all, 'Deployment').spec.selector.matchLabels,
]

t.test('a release and a namespace of digits are names all the same', { skip }, async t => {
  const all = await rendered(t, '2026', '1e3', { ...everything, fullnameOverride: 'desk', priorityClassName: '7' })
  for (const { metadata } of all) t.strictSame(metadata.namespace, '1e3')
  for (const labels of labelsOf(all)) for (const value of Object.values(labels)) t.type(value, 'string')
  t.strictSame(objectOf(all, 'ServiceMonitor').spec.namespaceSelector.matchNames, ['1e3'])
  t.strictSame(objectOf(all, 'Deployment').spec.template.spec.priorityClassName, '7')
})

t.test('names are never longer than Kubernetes takes', { skip }, async t => {
  const all = await rendered(t, 'r'.repeat(53), 'help', { ...everything, nameOverride: `${'n'.repeat(51)}-x` })
  for (const { kind, metadata } of all) t.match(metadata.name, /^[a-z][-a-z0-9]{0,61}[a-z0-9]$/, kind)
  for (const labels of labelsOf(all)) {
    for (const value of Object.values(labels)) t.match(value, /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/)
  }
})

t.test('what has nothing below it may be null, and leaves nothing behind', { skip }, async t => {
  const free = ['commonLabels', 'commonAnnotations', 'podLabels', 'podAnnotations', 'nodeSelector', 'tolerations']
  const more = ['affinity', 'resources', 'podSecurityContext', 'securityContext', 'files', 'extraEnv', 'extraVolumes']
  const last = ['extraVolumeMounts', 'extraContainers', 'extraInitContainers', 'extraObjects', 'strategy']
  const nulls = Object.fromEntries([...free, ...more, ...last].map(key => [key, null]))
  const all = await rendered(t, 'desk', 'help', nulls)
  t.notMatch(JSON.stringify(objectOf(all, 'Deployment')), 'null')
  t.notMatch(JSON.stringify(objectOf(all, 'Pod')), 'null')
})

t.test("the marks of the pods are the chart's own", { skip }, async t => {
  const podAnnotations = { 'deskgate/restart': 'never', note: 'mine' }
  const before = objectOf(await rendered(t, 'desk', 'help', {}), 'Deployment').spec.template.metadata.annotations
  const after = objectOf(await rendered(t, 'desk', 'help', { podAnnotations }), 'Deployment').spec.template.metadata
  t.same(after.annotations, { ...before, note: 'mine' })
})

t.test('what was written reaches the gateway, whatever it looks like', { skip }, async t => {
  const site = 'null'
  const text = '\ttab "quoted" \\ {{ not a template }}\r\n\u0007\u2028é\n'
  const open = Array.from({ length: 200 }, (_, at) => `GET /assets/${at}/${'a-very-long-name,'.repeat(9)}`)
  const changes = {
    ...{ 'config.site': site, 'config.sessions.perAgent': 1_000_000, files: { '.hidden-1': text } },
    ...{ 'config.desk.public': open, 'config.drain': '07s', 'config.desk.tls': { serverName: 'yes' } },
  }
  const { data } = objectOf(await rendered(t, 'desk', 'help', changes), 'ConfigMap', 'desk-deskgate')
  const read = parse(data?.['deskgate.yaml'] ?? '')
  t.match(read, { site, sessions: { perAgent: 1_000_000 }, drain: '07s' })
  t.strictSame(read.desk.public, open)
  t.equal(data?.['.hidden-1'], text)
})

t.test('a host name is lower case at the way in', { skip }, async t => {
  const all = await objects({ values: valuesWith({ 'config.publicUrl': 'https://Desk.Example.COM' }) })
  t.equal(objectOf(all, 'Ingress').spec.rules[0].host, 'desk.example.com')
})

t.test('a load balancer keeps the addresses of clients', { skip }, async t => {
  const service = (changes: object) => ({ 'ingress.enabled': false, 'service.type': 'LoadBalancer', ...changes })
  const specOf = async (changes: object) =>
    objectOf(await objects({ values: valuesWith(service(changes)) }), 'Service', 'desk-deskgate').spec
  t.equal((await specOf({})).externalTrafficPolicy, 'Local')
  const open = { 'service.externalTrafficPolicy': 'Cluster', 'service.loadBalancerSourceRanges': ['192.0.2.0/24'] }
  t.match(await specOf(open), { externalTrafficPolicy: 'Cluster', loadBalancerSourceRanges: ['192.0.2.0/24'] })
  t.equal((await specOf({ 'service.type': 'ClusterIP' })).externalTrafficPolicy, undefined)
})

t.test('the test pod goes where the pods may go', { skip }, async t => {
  const nodes = { nodeSelector: { pool: 'help' }, tolerations: [{ key: 'dedicated', operator: 'Exists' }] }
  const all = await objects({ values: valuesWith(nodes) })
  for (const spec of [objectOf(all, 'Deployment').spec.template.spec, objectOf(all, 'Pod').spec]) t.match(spec, nodes)
})

t.test('as a part of another chart, which switches it on and off', { skip }, async t => {
  const parent = await mkdtemp(join(tmpdir(), 'deskgate-parent-'))
  t.teardown(() => rm(parent, { recursive: true, force: true }))
  await mkdir(join(parent, 'charts'))
  await cp(chart, join(parent, 'charts/deskgate'), { recursive: true })
  const dependencies = [{ name: 'deskgate', version: '*', condition: 'deskgate.enabled' }]
  await writeFile(
    join(parent, 'Chart.yaml'),
    JSON.stringify({ apiVersion: 'v2', name: 'help', version: '1.0.0', dependencies }),
  )
  const kindsWith = async (enabled: boolean) => {
    const values = { global: { imageRegistry: 'all.example.com', other: 1 }, deskgate: { ...goodValues(), enabled } }
    await writeFile(join(parent, 'values.yaml'), JSON.stringify(values))
    const { code, stdout, stderr } = await runHelm('helm', ['template', 'desk', parent])
    t.equal(code, 0, stderr)
    return parseObjects(stdout).map(({ kind }) => kind)
  }
  t.ok((await kindsWith(true)).includes('Deployment'))
  t.same(await kindsWith(false), [])
})

t.test('a package holds all that the chart needs, and renders the same', { skip }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'values.yaml')
  await writeFile(file, JSON.stringify(valuesWith(everything)))
  t.equal((await runHelm('helm', ['package', chart, '--destination', folder])).code, 0)
  const [name = ''] = (await readdir(folder)).filter(one => one.endsWith('.tgz'))
  const of = async (from: string) => (await runHelm('helm', ['template', 'desk', from, '--values', file])).stdout
  t.equal(await of(join(folder, name)), await of(chart))
})
