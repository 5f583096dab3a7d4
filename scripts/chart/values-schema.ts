// helm/deskgate/values.schema.json: the chart's own values, and under config the gateway's configuration, in one file that
// refers to nothing. Draft 7, as Helm 3 reads no later one.

import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { editorSchema } from '../config-reference.js'

const text = z.string()
const flag = z.boolean()
const count = z.int().min(0)
const port = z.int().min(1).max(65_535)
/** What goes into an object of Kubernetes as it is: Kubernetes judges it. */
const anything = z.record(text, z.unknown())
const list = z.array(anything)
const strings = z.record(text, text)
const names = z.array(text.min(1))
/** What a key of a ConfigMap or Secret, and a file in a volume, may be called: never beginning with two dots. */
const fileName = text.regex(/^\.?[A-Za-z0-9_-][A-Za-z0-9._-]{0,251}$/)
const ports = z.array(port)
const pullSecrets = z.array(z.union([text.min(1), z.strictObject({ name: text.min(1) })]))

/** Helm leaves out a value that is null. A section of null is told, as one whose entries all are commented out. */
const maybe = <T extends z.ZodType>(value: T) => value.nullable().optional()

const keys = z.record(fileName, text.min(1))
const secretFiles = z.strictObject({ existingSecret: text.min(1), keys: keys.optional() })

/** Of an object; templates in them are filled in. */
const marks = { labels: strings, annotations: strings }
const seconds = z.int().min(0)
const probe = maybe(
  z.strictObject({
    initialDelaySeconds: seconds.optional(),
    periodSeconds: seconds.optional(),
    timeoutSeconds: seconds.optional(),
    failureThreshold: z.int().min(1).optional(),
    successThreshold: z.int().min(1).optional(),
    terminationGracePeriodSeconds: z.int().min(1).optional(),
  }),
)
const scrapeTime = /^\d+(ms|s|m|h)$/

const values = z.strictObject({
  enabled: flag.optional(),
  config: anything,
  existingConfigMap: text,
  reload: z.enum(['inPlace', 'roll']),
  files: maybe(z.record(fileName, text)),
  secrets: z.strictObject({
    existingSecret: text,
    keys,
    additional: z.array(secretFiles),
    values: keys,
    ...marks,
  }),
  replicas: count,
  image: z.strictObject({
    registry: text,
    repository: text.min(1),
    tag: text,
    digest: text.regex(/^(sha256:[0-9a-f]{64})?$/),
    pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
    pullSecrets,
  }),
  // A parent chart puts here what it likes.
  global: z.looseObject({ imageRegistry: text, imagePullSecrets: pullSecrets }),
  nameOverride: text,
  fullnameOverride: text,
  namespaceOverride: text,
  commonLabels: maybe(strings),
  commonAnnotations: maybe(strings),
  deployment: z.strictObject(marks),
  configMap: z.strictObject(marks),
  check: z.strictObject({
    ...{ enabled: flag, online: flag, hook: flag, timeout: z.int().min(1) },
    ...marks,
    podLabels: strings,
    podAnnotations: strings,
  }),
  test: z.strictObject({ doctor: flag }),
  autoscaling: z.strictObject({
    enabled: flag,
    minReplicas: z.int().min(1),
    maxReplicas: z.int().min(1),
    targetCPU: maybe(z.int().min(1)),
    targetMemory: maybe(z.int().min(1)),
    behavior: anything,
    ...marks,
  }),
  podDisruptionBudget: z.strictObject({
    enabled: flag,
    maxUnavailable: z.union([count, text.regex(/^\d{1,3}%$/)]),
    ...marks,
  }),
  topologySpreadConstraints: maybe(list),
  nodeSelector: maybe(strings),
  tolerations: maybe(list),
  affinity: maybe(anything),
  priorityClassName: text,
  runtimeClassName: text,
  hostAliases: maybe(z.array(z.strictObject({ ip: text.min(1), hostnames: names }))),
  dnsPolicy: z.enum(['', 'ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']),
  dnsConfig: maybe(anything),
  preStop: count,
  terminationGracePeriodSeconds: maybe(z.int().min(1)),
  strategy: maybe(anything),
  revisionHistoryLimit: count,
  resources: maybe(anything),
  probes: z.strictObject({
    startup: z.int().min(2),
    readinessPeriod: z.int().min(1),
    livenessPeriod: z.int().min(1),
  }),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  podLabels: maybe(strings),
  podAnnotations: maybe(strings),
  podSecurityContext: maybe(anything),
  securityContext: maybe(anything),
  serviceAccount: z.strictObject({ create: flag, name: text, ...marks }),
  service: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    port,
    probesPort: port,
    nodePort: maybe(port),
    clusterIP: text,
    loadBalancerClass: text,
    ...marks,
    externalTrafficPolicy: z.enum(['', 'Cluster', 'Local']),
    loadBalancerSourceRanges: names,
    ipFamilyPolicy: z.enum(['', 'SingleStack', 'PreferDualStack', 'RequireDualStack']),
    ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).max(2),
  }),
  ingress: z.strictObject({
    enabled: flag,
    className: text,
    ...marks,
    // A mapping, as other charts have it, is told by the templates.
    hosts: z.array(z.union([text.min(1), anything])),
    paths: z
      .array(
        z.strictObject({
          path: text.regex(/^\//),
          pathType: z.enum(['Prefix', 'Exact', 'ImplementationSpecific']),
        }),
      )
      .min(1),
    extraPaths: list,
    tls: list,
  }),
  httpRoute: z.strictObject({
    enabled: flag,
    parentRefs: list,
    hostnames: names,
    timeouts: strings,
    ...marks,
  }),
  networkPolicy: z.strictObject({
    enabled: flag,
    ingressFrom: list,
    metricsFrom: list,
    dns: z.strictObject({ to: list, ports: ports.min(1) }),
    redis: z.strictObject({ to: list, ports }),
    desk: z.strictObject({ to: list, ports }),
    idp: z.strictObject({ to: list, ports }),
    extraEgress: list,
    ...marks,
  }),
  deskNetworkPolicy: z.strictObject({ enabled: flag, podLabels: strings, namespace: text, alsoFrom: list, ...marks }),
  serviceMonitor: z.strictObject({
    enabled: flag,
    ...marks,
    interval: text.regex(scrapeTime),
    scrapeTimeout: z.union([text.regex(scrapeTime), z.literal('')]),
    relabelings: list,
    metricRelabelings: list,
    namespace: text,
  }),
  prometheusRule: z.strictObject({
    enabled: flag,
    ...marks,
    namespace: text,
    rules: list,
    disabled: names,
    alertLabels: strings,
    runbookUrl: text,
    job: text,
  }),
  dashboard: z.strictObject({ enabled: flag, ...marks, namespace: text }),
  extraEnv: maybe(z.array(z.looseObject({ name: text.min(1) }))),
  envFrom: maybe(list),
  extraVolumes: maybe(list),
  extraVolumeMounts: maybe(z.array(z.looseObject({ name: text.min(1), mountPath: text.min(1) }))),
  extraContainers: maybe(list),
  extraInitContainers: maybe(list),
  extraObjects: maybe(z.array(z.union([anything, text]))),
})

/** The whole file. */
export function valuesSchema(): string {
  const schema = z.toJSONSchema(values, { target: 'draft-7', io: 'input', override: shorten }) as Record<
    string,
    unknown
  >
  const properties = { ...(schema.properties as object), config: gatewayConfig() }
  const whole = { ...schema, title: 'Values of the Deskgate chart', properties }
  allowHabits(whole)
  return `${JSON.stringify(whole, null, 2)}\n`
}

/** By the path of a value that other charts have: what to write in its place. */
export const habits: Record<string, string> = JSON.parse(
  readFileSync(new URL('../../helm/deskgate/habits.json', import.meta.url), 'utf8'),
)

interface Properties {
  properties?: Record<string, Properties>
}

/** They pass the schema, which could only say that it does not know them; the templates say what to write. */
function allowHabits(schema: Properties): void {
  for (const [path, instead] of Object.entries(habits)) {
    const keys = path.split('.')
    const holder = keys.slice(0, -1).reduce<Properties | undefined>((at, key) => at?.properties?.[key], schema)
    const properties = holder?.properties
    const last = keys.at(-1) ?? ''
    if (!properties || last in properties) throw new Error(`${path} of habits.json has no place in the schema`)
    Object.assign(properties, { [last]: { description: `No value of this chart: ${instead}.` } })
  }
}

/** Nullable as a second type instead of a second schema: what Helm says against a value is then one line. */
function shorten({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  const [inner, second, ...more] = (jsonSchema.anyOf ?? []) as Record<string, unknown>[]
  if (more.length > 0 || second?.type !== 'null' || typeof inner?.type !== 'string') return
  delete jsonSchema.anyOf
  Object.assign(jsonSchema, inner, { type: [inner.type, 'null'] })
}

/** What is missing at the top is told by the templates, with all else that is wrong. */
function gatewayConfig(): object {
  const { $schema: _draft, $id: _id, required: _required, ...rest } = JSON.parse(editorSchema())
  // A template is not a URL yet.
  delete rest.properties.publicUrl.format
  return readable(rest) as object
}

/** Helm's regular expressions know no looking ahead: such a pattern is left to `deskgate check`. */
function readable(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(readable)
  if (typeof node !== 'object' || node === null) return node
  const entries = Object.entries(node).filter(
    ([key, value]) => !(key === 'pattern' && typeof value === 'string' && /\(\?(?!:)/.test(value)),
  )
  return Object.fromEntries(entries.map(([key, value]) => [key, readable(value)]))
}
