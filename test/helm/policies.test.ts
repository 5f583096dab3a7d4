// The network policies that the chart renders: who gets in, where the pods may go, and whom a selector means.

import t from 'tap'
import { valuesWith } from '../parts/chart-values.js'
import { type KubeObject, objectOf, objects } from '../parts/helm.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm')
const render = (changes: Record<string, unknown> = {}) => objects({ values: valuesWith(changes) })

t.test('the Services and every policy select the pods, and not the test', { skip }, async t => {
  const policy = { enabled: true, ingressFrom: [{ podSelector: {} }] }
  const all = await render({ networkPolicy: policy })
  const { labels } = objectOf(all, 'Deployment').spec.template.metadata
  const selects = (selector: Record<string, string>, of: Record<string, string> = {}) =>
    Object.entries(selector).every(([name, value]) => of[name] === value)
  const { spec } = objectOf(all, 'NetworkPolicy')
  const services = all.filter(({ kind }) => kind === 'Service').map(service => service.spec.selector)
  for (const selector of [
    ...services,
    spec.podSelector.matchLabels,
    objectOf(all, 'Deployment').spec.selector.matchLabels,
  ]) {
    t.ok(selects(selector, labels))
    t.notOk(selects(selector, objectOf(all, 'Pod').metadata.labels))
  }
  const letIn = spec.ingress.at(-1).from[0].podSelector.matchLabels
  t.ok(selects(letIn, objectOf(all, 'Pod').metadata.labels), 'helm test gets through')
})

t.test('egress goes to DNS, Redis, Desk and identity providers, and nowhere else', { skip }, async t => {
  const policy = { enabled: true, ingressFrom: [{ podSelector: {} }] }
  const portsOf = (all: KubeObject[]) =>
    objectOf(all, 'NetworkPolicy').spec.egress.map(({ ports }: { ports: { port: number }[] }) =>
      ports.map(({ port }) => port),
    )
  const dns = [53, 53]
  t.same(portsOf(await render({ networkPolicy: policy })), [dns, [6379], [3000]], 'a shared secret needs no provider')
  const https = { networkPolicy: policy, 'config.desk.url': 'https://desk' }
  t.same(portsOf(await render(https)), [dns, [6379], [443]])
  const ports = { redis: { ports: [6380] }, desk: { ports: [8000] }, idp: { ports: [443, 8443] } }
  t.same(portsOf(await render({ networkPolicy: { ...policy, ...ports } })), [dns, [6380], [8000], [443, 8443]])
  const openShift = { networkPolicy: { ...policy, dns: { ports: [5353] } } }
  t.same(portsOf(await render(openShift))[0], [5353, 5353])
  const alone = { networkPolicy: policy, replicas: 1, 'config.sessions': undefined }
  t.same(portsOf(await render(alone)), [dns, [3000]], 'a memory needs no Redis')
})

t.test('egress follows the addresses in config', { skip }, async t => {
  const networkPolicy = { enabled: true, ingressFrom: [{ podSelector: {} }] }
  const portsOf = async (changes: Record<string, unknown>) => {
    const { spec } = objectOf(await render({ networkPolicy, ...changes }), 'NetworkPolicy')
    return spec.egress.slice(1).map(({ ports }: { ports: { port: number }[] }) => ports.map(({ port }) => port))
  }
  const store = (url: string) => ({ 'config.sessions.store': url })
  t.same(await portsOf(store('redis://redis:6390/0')), [[6390], [3000]])
  t.same(await portsOf(store('redis+cluster://a:7000,b:7001')), [[7000, 7001], [3000]])
  t.same(await portsOf(store('redis+sentinel://a:26380,b/main/0')), [[26380, 6379], [3000]])
  const saml = { id: 'corp', type: 'saml', name: 'Corp', metadata: 'https://idp.example.com:8443/m' }
  t.same(await portsOf({ 'config.providers': [saml] }), [[6379], [3000], [8443]])
  t.same(await portsOf({ 'config.providers': [{ ...saml, metadata: 'http://idp/m' }] }), [[6379], [3000], [80]])
  const proxy = { extraEnv: [{ name: 'https_proxy', value: 'http://proxy:3128' }] }
  t.same(await portsOf({ 'config.providers': [saml], ...proxy }), [[6379], [3000], [8443, 3128]])
  const agents = (url: string) => ({ 'config.agents': [{ http: { url, map: { email: '/email' } } }] })
  t.same(await portsOf(agents('http://desk:3001/users?email={email}')), [[6379], [3000, 3001]])
  t.same(await portsOf(agents('https://people.example.com/users')), [[6379], [3000], [443]])
})

t.test("Desk's own policy lets in these pods alone", { skip }, async t => {
  const all = await render({ deskNetworkPolicy: { enabled: true, namespace: 'tickets', podLabels: { app: 'desk' } } })
  const { metadata, spec } = objectOf(all, 'NetworkPolicy', 'desk-deskgate-desk')
  t.equal(metadata.namespace, 'tickets')
  t.same(spec.podSelector.matchLabels, { app: 'desk' })
  t.equal(spec.ingress.length, 1)
  t.same(spec.ingress[0].from.length, 1)
  t.same(spec.ingress[0].from[0].namespaceSelector.matchLabels, { 'kubernetes.io/metadata.name': 'help' })
})
