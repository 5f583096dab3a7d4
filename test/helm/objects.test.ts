// What the chart renders, as objects: what operators rely on, value by value.

import t from 'tap'
import { parse } from 'yaml'
import { valuesWith } from '../parts/chart-values.js'
import { type KubeObject, objectOf, objects } from '../parts/helm.js'
import { schemaProblem, typeProblems } from '../parts/kubernetes.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm')
const render = (changes: Record<string, unknown> = {}) => objects({ values: valuesWith(changes) })
const podOf = (all: KubeObject[]) => objectOf(all, 'Deployment').spec.template.spec
const kinds = (all: KubeObject[]) => all.map(({ kind }) => kind)

t.test('the restricted security profile, and no token', { skip }, async t => {
  const all = await render()
  const restricted = { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } }
  for (const pod of [podOf(all), objectOf(all, 'Pod').spec, objectOf(all, 'Job').spec.template.spec]) {
    t.match(pod, { automountServiceAccountToken: false, securityContext: restricted })
    for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
      t.same(container.securityContext, {
        ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
        capabilities: { drop: ['ALL'] },
      })
      t.ok(container.resources.limits.memory)
    }
  }
  for (const account of all.filter(({ kind }) => kind === 'ServiceAccount')) {
    t.equal(account.automountServiceAccountToken, false)
  }
  for (const pod of [podOf(all), objectOf(all, 'Pod').spec]) t.equal(pod.serviceAccountName, 'desk-deskgate')
})

t.test('secrets are files: nothing of them is a variable, and whole folders are mounted', { skip }, async t => {
  const pod = podOf(await render())
  const [container] = pod.containers
  t.same(container.env, [{ name: 'DESKGATE_CONFIG', value: '/etc/deskgate/config/deskgate.yaml' }])
  t.equal(container.envFrom, undefined)
  for (const mount of container.volumeMounts) t.match(mount, { readOnly: true, subPath: undefined })
  const [config, , , , secrets] = pod.volumes
  t.same(config.configMap, { name: 'desk-deskgate', defaultMode: 0o444 })
  t.equal(secrets.projected.defaultMode, 0o440)
  t.same(secrets.projected.sources[0].secret.name, 'deskgate')
})

t.test('a Secret is made of explicit values only, and never of anything else', { skip }, async t => {
  t.notOk(kinds(await render()).includes('Secret'))
  const values = { 'secrets.existingSecret': '', 'secrets.keys': {} }
  const all = await render({ ...values, 'secrets.values': { ring: 'r', portal: 'p', 'redis-url': 'redis://redis' } })
  const secret = objectOf(all, 'Secret', 'desk-deskgate-values')
  t.same(secret.data, { ring: 'cg==', portal: 'cA==', 'redis-url': 'cmVkaXM6Ly9yZWRpcw==' })
  t.equal(schemaProblem(secret), undefined)
  t.same(await typeProblems([secret]), [])
  const items = podOf(all).volumes.at(-1).projected.sources[0].secret.items
  t.same(items.map(({ path }: { path: string }) => path).sort(), ['portal', 'redis-url', 'ring'])
})

t.test('the configuration is what the values say, to the last key', { skip }, async t => {
  const values = valuesWith({ 'config.drain': '45s', files: { 'agents.yaml': 'x: "1"\n# é\n' } })
  const { data } = objectOf(await objects({ values }), 'ConfigMap', 'desk-deskgate')
  const ops = { listen: '127.0.0.1:9090', probes: '0.0.0.0:9091' }
  t.same(parse(data?.['deskgate.yaml'] ?? ''), { listen: '0.0.0.0:8080', ops, ...(values.config as object) })
  t.equal(data?.['agents.yaml'], 'x: "1"\n# é\n')
})

t.test('probes ask the listener of their own, and liveness asks no Redis', { skip }, async t => {
  const [container] = podOf(await render({ 'config.ops.probes': '0.0.0.0:9999' })).containers
  t.same(
    container.ports.map(({ containerPort }: { containerPort: number }) => containerPort),
    [8080, 9999],
  )
  t.same(container.startupProbe.httpGet, { path: '/live', port: 'probes' })
  t.same(container.livenessProbe.httpGet, { path: '/live', port: 'probes' })
  t.same(container.readinessProbe.httpGet, { path: '/ready', port: 'probes' })
})

t.test('the grace is longer than preStop and drain together', { skip }, async t => {
  const grace = async (changes: object) => podOf(await render({ ...changes })).terminationGracePeriodSeconds
  t.equal(await grace({}), 45)
  t.equal(await grace({ 'config.drain': '2m', preStop: 7 }), 137)
  t.equal(await grace({ 'config.drain': '1500ms', preStop: 0 }), 12)
  t.equal(await grace({ 'config.drain': '1h', terminationGracePeriodSeconds: 4000 }), 4000)
  t.equal(podOf(await render({ preStop: 0 })).containers[0].lifecycle, undefined)
})

t.test('an autoscaler has the say over replicas, and a budget comes with two pods', { skip }, async t => {
  const scaled = await render({ 'autoscaling.enabled': true })
  t.equal(objectOf(scaled, 'Deployment').spec.replicas, undefined)
  t.match(objectOf(scaled, 'HorizontalPodAutoscaler').spec, {
    minReplicas: 2,
    scaleTargetRef: { name: 'desk-deskgate' },
  })
  t.match(objectOf(scaled, 'PodDisruptionBudget').spec, { maxUnavailable: 1, minAvailable: undefined })
  t.notOk(kinds(await render({ replicas: 1 })).includes('PodDisruptionBudget'))
  const single = { 'autoscaling.enabled': true, 'autoscaling.minReplicas': 1 }
  t.ok(kinds(await render(single)).includes('PodDisruptionBudget'), 'there may be more, and it counts who is away')
})

t.test('a memory store never has two processes', { skip }, async t => {
  const all = await render({ replicas: 1, 'config.sessions': undefined })
  t.same(objectOf(all, 'Deployment').spec.strategy, { type: 'Recreate' })
  t.match(objectOf(await render(), 'Deployment').spec.strategy, { rollingUpdate: { maxUnavailable: 0 } })
})

t.test('pods are spread where that is possible, unless the values say otherwise', { skip }, async t => {
  const soft = podOf(await render()).topologySpreadConstraints
  t.same(
    soft.map((one: { whenUnsatisfiable: string }) => one.whenUnsatisfiable),
    ['ScheduleAnyway', 'ScheduleAnyway'],
  )
  t.same(podOf(await render({ topologySpreadConstraints: [] })).topologySpreadConstraints, [])
})

t.test('/metrics is at no Service that an ingress or a load balancer offers', { skip }, async t => {
  const all = await render({ 'service.type': 'LoadBalancer', 'ingress.enabled': false })
  t.same(
    objectOf(all, 'Service', 'desk-deskgate').spec.ports.map((port: { name: string }) => port.name),
    ['http'],
  )
  t.match(objectOf(all, 'Service', 'desk-deskgate-probes').spec, { type: 'ClusterIP', clusterIP: 'None' })
})

t.test('local over global, digest over tag', { skip }, async t => {
  const image = async (changes: object) => podOf(await render({ ...changes })).containers[0].image
  t.equal(await image({}), 'deskgate:0.1.0')
  t.equal(await image({ 'global.imageRegistry': 'all.example.com' }), 'all.example.com/deskgate:0.1.0')
  const both = { 'global.imageRegistry': 'all.example.com', 'image.registry': 'own.example.com' }
  t.equal(await image({ ...both, 'image.tag': '9' }), 'own.example.com/deskgate:9')
  const digest = `sha256:${'a'.repeat(64)}`
  t.equal(await image({ 'image.digest': digest, 'image.tag': '9' }), `deskgate@${digest}`)
  const secrets = { 'image.pullSecrets': ['a'], 'global.imagePullSecrets': [{ name: 'a' }, 'b'] }
  t.same(podOf(await render(secrets)).imagePullSecrets, [{ name: 'a' }, { name: 'b' }])
})

t.test('the way in leads to the Service, for the host of publicUrl', { skip }, async t => {
  const [rule] = objectOf(await render({ 'config.publicUrl': 'https://desk.example.com:8443' }), 'Ingress').spec.rules
  t.equal(rule.host, 'desk.example.com')
  t.same(rule.http.paths[0].backend.service, { name: 'desk-deskgate', port: { name: 'http' } })
  const route = { enabled: true, parentRefs: [{ name: 'public' }] }
  const { spec } = objectOf(await render({ 'ingress.enabled': false, httpRoute: route }), 'HTTPRoute')
  t.same(spec.hostnames, ['desk.example.com'])
  t.same(spec.rules[0].backendRefs, [{ name: 'desk-deskgate', port: 80 }])
})

t.test('both IP families where they are asked for', { skip }, async t => {
  const listeners = { 'config.listen': '[::]:8080', 'config.ops.probes': '[::]:9091' }
  const all = await render({ ...listeners, 'service.ipFamilyPolicy': 'RequireDualStack' })
  for (const name of ['desk-deskgate', 'desk-deskgate-probes']) {
    t.equal(objectOf(all, 'Service', name).spec.ipFamilyPolicy, 'RequireDualStack')
  }
  t.equal(podOf(all).containers[0].ports[0].containerPort, 8080)
})

t.test('alerts can be left out, labelled, and led to a page', { skip }, async t => {
  const rule = {
    enabled: true,
    disabled: ['DeskgateSlow'],
    alertLabels: { team: 'a' },
    runbookUrl: 'https://x.example/a',
  }
  const [group] = objectOf(await render({ prometheusRule: rule }), 'PrometheusRule').spec.groups
  const names = group.rules.map(({ alert }: { alert: string }) => alert)
  t.notOk(names.includes('DeskgateSlow'))
  t.match(group.rules[1], {
    labels: { team: 'a' },
    annotations: { runbook_url: 'https://x.example/a#deskgatestoredown' },
  })
  for (const { expr } of group.rules) t.match(expr, 'namespace="help",job="desk-deskgate-probes"')
})

t.test('a ServiceMonitor finds the Service of the probes', { skip }, async t => {
  const all = await render({ 'serviceMonitor.enabled': true })
  const { matchLabels } = objectOf(all, 'ServiceMonitor').spec.selector
  t.match(objectOf(all, 'Service', 'desk-deskgate-probes').metadata.labels, matchLabels)
  t.notMatch(objectOf(all, 'Service', 'desk-deskgate').metadata.labels, matchLabels)
})

t.test('what is extra gets into the pod, and objects may hold templates', { skip }, async t => {
  const mount = { name: 'scratch', mountPath: '/scratch' }
  const all = await render({
    ...{
      extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy:3128' }],
      extraContainers: [{ name: 'more', image: 'more' }],
    },
    ...{ extraVolumes: [{ name: 'scratch', emptyDir: {} }], extraVolumeMounts: [mount] },
    extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '{{ .Release.Name }}-more' } }],
  })
  const pod = podOf(all)
  t.match(pod.containers, [{ name: 'deskgate' }, { name: 'more' }])
  for (const container of [pod.containers[0], pod.initContainers[0]]) {
    t.match(container.env.at(-1), { name: 'HTTPS_PROXY' })
    t.same(container.volumeMounts.at(-1), mount)
  }
  t.ok(objectOf(all, 'ConfigMap', 'desk-more'))
})
