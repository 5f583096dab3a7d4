// What a cluster asks for beside the gateway itself: templates in values, labels and annotations of each object, and the fields
// of Kubernetes that the chart hands on.

import t from 'tap'
import { valuesWith } from '../parts/chart-values.js'
import { helms, type KubeObject, objectOf, objects, parseObjects, template } from '../parts/helm.js'
import { schemaProblem, typeProblems } from '../parts/kubernetes.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm', 'helm3')
const render = (changes: Record<string, unknown> = {}) => objects({ values: valuesWith(changes) })
const podOf = (all: KubeObject[]) => objectOf(all, 'Deployment').spec.template.spec

t.test('templates in publicUrl, hosts, TLS, labels and annotations', { skip }, async t => {
  const all = await render({
    ...{ 'global.domain': 'example.com', 'config.publicUrl': 'https://desk.{{ .Values.global.domain }}' },
    ...{
      'ingress.hosts': ['desk.{{ .Values.global.domain }}'],
      'ingress.annotations': { note: '{{ .Release.Name }}' },
    },
    ...{ 'ingress.tls': [{ secretName: '{{ .Release.Name }}-tls', hosts: ['desk.{{ .Values.global.domain }}'] }] },
    commonLabels: { team: '{{ .Release.Namespace }}' },
  })
  const { metadata, spec } = objectOf(all, 'Ingress')
  t.equal(spec.rules[0].host, 'desk.example.com')
  t.match(spec.tls, [{ secretName: 'desk-tls', hosts: ['desk.example.com'] }])
  t.match(metadata, { annotations: { note: 'desk' }, labels: { team: 'help' } })
  const { data } = objectOf(all, 'ConfigMap', 'desk-deskgate')
  t.match(data?.['deskgate.yaml'], 'publicUrl: https://desk.example.com\n')
})

t.test('each object has labels and annotations of its own, which never replace the chart’s', { skip }, async t => {
  const marks = { labels: { own: 'l', 'app.kubernetes.io/name': 'other' }, annotations: { own: 'a' } }
  const monitors = { serviceMonitor: { enabled: true, ...marks }, prometheusRule: { enabled: true, ...marks } }
  const policy = { enabled: true, ingressFrom: [{ podSelector: {} }], metricsFrom: [{ podSelector: {} }], ...marks }
  const all = await render({
    ...{ ...monitors, networkPolicy: policy, dashboard: { enabled: true, ...marks } },
    ...{ deployment: marks, configMap: marks, service: marks, serviceAccount: marks, podDisruptionBudget: marks },
    ...{ ingress: { enabled: true, ...marks }, autoscaling: { enabled: true, ...marks }, check: marks },
  })
  const without = ['Pod desk-deskgate-test', 'Service desk-deskgate-test', 'Service desk-deskgate-probes']
  for (const { kind, metadata } of all) {
    if (without.includes(`${kind} ${metadata.name}`)) continue
    t.match(metadata.labels, { own: 'l', 'app.kubernetes.io/name': 'deskgate' }, `${kind} ${metadata.name}`)
    t.match(metadata.annotations, { own: 'a' }, `${kind} ${metadata.name}`)
  }
  t.notMatch(objectOf(all, 'Deployment').spec.template.metadata.labels, { own: 'l' }, 'those of pods are apart')
})

t.test('fields of the pods, also of the check and the test', { skip }, async t => {
  const fields = {
    hostAliases: [{ ip: '192.0.2.1', hostnames: ['idp.example.com'] }],
    dnsConfig: { nameservers: ['192.0.2.53'] },
    ...{ dnsPolicy: 'None', runtimeClassName: 'gvisor' },
  }
  const envFrom = [{ configMapRef: { name: 'proxy' } }]
  const all = await render({
    ...{ ...fields, envFrom, 'config.secrets': [{ env: 'RING' }] },
    readinessProbe: { timeoutSeconds: 9, initialDelaySeconds: 3 },
  })
  for (const pod of [podOf(all), objectOf(all, 'Pod').spec, objectOf(all, 'Job').spec.template.spec])
    t.match(pod, fields)
  const [gateway] = podOf(all).containers
  for (const container of [
    gateway,
    podOf(all).initContainers[0],
    objectOf(all, 'Job').spec.template.spec.containers[0],
  ]) {
    t.same(container.envFrom, envFrom)
  }
  t.match(gateway.readinessProbe, {
    timeoutSeconds: 9,
    initialDelaySeconds: 3,
    periodSeconds: 5,
    httpGet: { path: '/ready' },
  })
})

t.test('a namespace in place of the release’s, everywhere', { skip }, async t => {
  const all = await render({
    ...{ namespaceOverride: 'elsewhere', 'serviceMonitor.enabled': true, 'prometheusRule.enabled': true },
    ...{ 'prometheusRule.namespace': 'monitoring', 'deskNetworkPolicy.enabled': true },
    'deskNetworkPolicy.podLabels': { app: 'desk' },
  })
  for (const { kind, metadata } of all)
    t.equal(metadata.namespace, kind === 'PrometheusRule' ? 'monitoring' : 'elsewhere')
  t.match(JSON.stringify(objectOf(all, 'PrometheusRule').spec), 'namespace=\\"elsewhere\\"')
  t.same(objectOf(all, 'ServiceMonitor').spec.namespaceSelector.matchNames, ['elsewhere'])
  t.match(JSON.stringify(objectOf(all, 'NetworkPolicy').spec), '"kubernetes.io/metadata.name":"elsewhere"')
})

t.test('extras of Service, Ingress, monitor and alerts are what Kubernetes knows', { skip }, async t => {
  const relabelings = [{ sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' }]
  const values = valuesWith({
    ...{ 'service.type': 'NodePort', 'service.nodePort': 30_080, 'service.clusterIP': '10.96.1.2' },
    'ingress.paths': [{ path: '/', pathType: 'ImplementationSpecific' }],
    'ingress.extraPaths': [
      {
        path: '/*',
        pathType: 'ImplementationSpecific',
        backend: { service: { name: 'redirect', port: { name: 'use' } } },
      },
    ],
    serviceMonitor: { enabled: true, scrapeTimeout: '10s', relabelings, metricRelabelings: relabelings },
    prometheusRule: { enabled: true, rules: [{ alert: 'Mine', expr: 'deskgate_store_up{$SCOPE} == 0' }] },
  })
  const [four = [], three = []] = await Promise.all(
    helms.map(async helm => parseObjects((await template({ helm, values })).stdout)),
  )
  t.strictSame(four, three)
  for (const object of four) t.equal(schemaProblem(object), undefined)
  t.same(await typeProblems(four), [])
  t.match(objectOf(four, 'Service', 'desk-deskgate').spec, { clusterIP: '10.96.1.2', ports: [{ nodePort: 30_080 }] })
  const { paths } = objectOf(four, 'Ingress').spec.rules[0].http
  t.match(paths, [{ path: '/*' }, { path: '/', pathType: 'ImplementationSpecific' }])
  t.match(objectOf(four, 'ServiceMonitor').spec.endpoints, [
    { scrapeTimeout: '10s', relabelings, metricRelabelings: relabelings },
  ])
  const own = objectOf(four, 'PrometheusRule').spec.groups.at(-1)
  t.match(own, {
    name: 'desk-deskgate-own',
    rules: [{ alert: 'Mine', expr: /namespace="help",job="desk-deskgate-probes"/ }],
  })
})

t.test('without a cluster to look at, an autoscaler has the say over replicas', { skip }, async t => {
  t.equal(objectOf(await render({ 'autoscaling.enabled': true }), 'Deployment').spec.replicas, undefined)
  t.equal(objectOf(await render({ replicas: 0 }), 'Deployment').spec.replicas, 0)
})
