// Values that cannot work are refused by `helm template`, with what is wrong and how to fix it; all of it at once.

import t from 'tap'
import { habits } from '../../scripts/chart/values-schema.js'
import { goodValues, valuesWith } from '../parts/chart-values.js'
import { helms, template } from '../parts/helm.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm', 'helm3')
const memory = { 'config.sessions': undefined }
const provider = (more: object) => ({
  'config.providers': [{ id: 'corp', type: 'saml', name: 'Corp', metadata: 'https://idp.example.com/m', ...more }],
})
const key = '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n'

/** What an operator did; the changed values; what both Helms must say. */
const refused: [string, Record<string, unknown>, RegExp][] = [
  ['a typo in the values', { 'ingress.enable': true }, /ingress.*enable/s],
  ['a typo in config', { 'config.sessions': { idel: '8h' } }, /idel/],
  ['a value of the wrong kind', { 'config.drain': 30 }, /drain/],
  ['no publicUrl', { 'config.publicUrl': undefined }, /config\.publicUrl is missing/],
  ['an http publicUrl', { 'config.publicUrl': 'http://desk.example.com' }, /read in transit; use https/],
  ['no Desk', { 'config.desk': undefined }, /config\.desk\.url is missing/],
  ['no provider', { 'config.providers': [] }, /config\.providers is empty: nobody can log in/],
  ['no directory', { 'config.agents': undefined }, /config\.agents is empty: there is no default/],
  ['memory with two pods', memory, /replicas is 2, but config\.sessions\.store is memory.*or set replicas: 1/],
  ['memory with an autoscaler', { ...memory, 'autoscaling.enabled': true }, /autoscaling is enabled, but .* memory/],
  [
    'memory with workers',
    { ...memory, replicas: 1, 'config.workers': 'auto' },
    /config\.workers is auto, but .* memory/,
  ],
  ['workers by the cores of a node', { 'config.workers': 'auto' }, /counts the cores of the node, not of the pod/],
  ['memory that rolls', { ...memory, replicas: 1, 'strategy.type': 'RollingUpdate' }, /two pods would run at once/],
  [
    'a rehearsal that other pods do not know',
    {
      ...memory,
      replicas: 1,
      'test.doctor': true,
      'config.ops': { adminToken: { file: '/etc/deskgate/secrets/ring' } },
    },
    /test\.doctor is on, but .* memory/,
  ],
  ['a rehearsal without the admin token', { 'test.doctor': true }, /adminToken is missing: test\.doctor/],
  ['two ways in', { 'httpRoute.enabled': true, 'httpRoute.parentRefs': [{ name: 'x' }] }, /both enabled.*disable one/],
  [
    'an ingress that is not trusted',
    { 'config.trustedProxies': [] },
    /ingress is enabled, but config\.trustedProxies is empty/,
  ],
  ['an HTTPRoute without a Gateway', { 'ingress.enabled': false, 'httpRoute.enabled': true }, /parentRefs is empty/],
  [
    'a host that nobody opens',
    { 'ingress.hosts': ['help.example.com'] },
    /ingress\.hosts does not contain desk\.example\.com/,
  ],
  ['no key ring', { 'config.secrets': undefined }, /config\.secrets is empty: all pods need the same secrets/],
  ['no Secret', { secrets: undefined }, /no Secret provides ring: name one as secrets\.existingSecret/],
  ['a secret that the Secret does not have', { 'secrets.keys': { ring: 'ring' } }, /no Secret provides portal/],
  [
    'keys without their Secret',
    { 'secrets.existingSecret': '' },
    /secrets\.keys names keys of secrets\.existingSecret/,
  ],
  [
    'two files of one name',
    { 'secrets.additional': [{ existingSecret: 'more', keys: { ring: 'x' } }] },
    /two sources have a file of the same name/,
  ],
  [
    'a secret in config',
    { 'config.secrets': ['0123456789abcdef0123456789abcdef'] },
    /config\.secrets\[0\] holds a secret itself/,
  ],
  [
    'a provider secret in config',
    {
      'config.providers': [
        { id: 'p', type: 'jwt', name: 'P', loginUrl: 'https://p.example.com', secrets: ['x'.repeat(40)] },
      ],
    },
    /config\.providers\[0\]\.secrets\[0\] holds a secret itself/,
  ],
  [
    'a password in a URL',
    { 'config.sessions.store': 'redis://:pw@redis:6379' },
    /config\.sessions\.store holds a secret itself/,
  ],
  [
    'a password in config',
    { 'config.sessions.store': { url: 'redis://redis:6379', password: 'pw' } },
    /config\.sessions\.store\.password holds a secret itself/,
  ],
  [
    'an admin token in config',
    { 'config.ops.adminToken': 'x'.repeat(40) },
    /config\.ops\.adminToken holds a secret itself/,
  ],
  [
    'a variable that is not set',
    { 'config.secrets': [{ env: 'RING' }] },
    /RING, a variable that extraEnv does not set/,
  ],
  [
    'a secret where nothing is mounted',
    { 'config.secrets': [{ file: '/run/ring' }] },
    /\/run\/ring, which no volume provides/,
  ],
  [
    'a secret among the files',
    { 'config.secrets': [{ file: 'ring.txt' }], files: { 'ring.txt': 'x'.repeat(40) } },
    /files\.ring\.txt is the secret of config\.secrets\[0\]/,
  ],
  ['a key among the files', { files: { 'sp.key': key } }, /files\.sp\.key contains a private key/],
  [
    'a file that is not there',
    provider({ metadata: 'idp.xml' }),
    /metadata is idp\.xml, which does not exist: put it under files/,
  ],
  ['a file in place of config', { files: { 'deskgate.yaml': 'x' } }, /would replace config/],
  ['an audit file on a read-only root', { 'config.audit.to': '/var/log/audit.log' }, /root file system is read-only/],
  [
    'a grace shorter than the drain',
    { terminationGracePeriodSeconds: 30 },
    /is 30, but .* take 35 seconds.*set it to 45/,
  ],
  [
    'a grace shorter than a longer drain',
    { 'config.drain': '5m', terminationGracePeriodSeconds: 300 },
    /take 305 seconds/,
  ],
  [
    'the API for everybody',
    { 'config.ops.listen': '0.0.0.0:9090' },
    /the API, which is not encrypted, must stay on 127/,
  ],
  [
    'probes that nobody reaches',
    { 'config.ops.probes': '127.0.0.1:9091' },
    /config\.ops\.probes is 127\.0\.0\.1:9091: the kubelet/,
  ],
  ['no probes', { 'config.ops.probes': null }, /config\.ops\.probes is not set: the kubelet cannot ask it/],
  ['a gateway that nobody reaches', { 'config.listen': 'unix:/run/deskgate' }, /the Service cannot reach it/],
  ['one port twice', { 'config.ops.probes': '0.0.0.0:8080' }, /three different ports/],
  [
    'dual stack without IPv6',
    { 'service.ipFamilyPolicy': 'PreferDualStack' },
    /does not listen on IPv6.*"\[::\]:8080"/,
  ],
  [
    'an autoscaler upside down',
    { 'autoscaling.enabled': true, 'autoscaling.minReplicas': 9 },
    /is more than autoscaling\.maxReplicas/,
  ],
  [
    'an autoscaler without a target',
    { 'autoscaling.enabled': true, 'autoscaling.targetCPU': null },
    /autoscaling has no target/,
  ],
  ['a budget of nothing', { 'podDisruptionBudget.maxUnavailable': 0 }, /no node could ever be drained/],
  ['a policy for everybody', { 'networkPolicy.enabled': true }, /networkPolicy\.ingressFrom is empty/],
  [
    'a policy against Prometheus',
    { networkPolicy: { enabled: true, ingressFrom: [{ podSelector: {} }] }, 'serviceMonitor.enabled': true },
    /Prometheus could not scrape/,
  ],
  ['a policy for a whole namespace', { 'deskNetworkPolicy.enabled': true }, /would close the whole namespace/],
  ['a name that no Service may have', { fullnameOverride: 'Help_Desk' }, /Help_Desk is not a valid Service name/],
  ['a name that is no label', { nameOverride: '@' }, /nameOverride is @, which is not a valid label/],
  ['a port that is none', { 'config.listen': '0.0.0.0:70000' }, /names port 70000, which is not allowed/],
  [
    'an autoscaler without a request to reckon by',
    { 'autoscaling.enabled': true, resources: null },
    /targetCPU is a percentage of resources\.requests\.cpu, which is not set/,
  ],
  [
    'a load balancer past the ingress',
    { 'service.type': 'LoadBalancer' },
    /LoadBalancer beside ingress: .* use ClusterIP, or disable ingress/,
  ],
  [
    'networks for a load balancer that is none',
    { 'service.loadBalancerSourceRanges': ['192.0.2.0/24'] },
    /has no effect on a Service of type ClusterIP/,
  ],
  [
    'a traffic policy for nothing',
    { 'service.externalTrafficPolicy': 'Local' },
    /cannot be set on a Service of type ClusterIP/,
  ],
  [
    'an address in place of a name',
    { 'config.publicUrl': 'https://[2001:db8::1]:8443' },
    /is at the address \[2001:db8::1\], and ingress needs a host name/,
  ],
  [
    'a secret in a variable',
    { 'config.secrets': [{ env: 'RING' }], extraEnv: [{ name: 'RING', value: 'x'.repeat(40) }] },
    /extraEnv sets RING, the secret of config\.secrets\[0\]\.env, as a plain string/,
  ],
  [
    'more agents than a ConfigMap holds',
    { files: { 'agents.yaml': '- { email: a@example.com }\n'.repeat(40_000) } },
    /more than a ConfigMap can hold: mount large files/,
  ],
  [
    "a template in a host that is not publicUrl's",
    { 'ingress.hosts': ['help.{{ .Release.Name }}.example.com'] },
    /ingress\.hosts does not contain desk\.example\.com/,
  ],
  [
    'paths that leave out the site',
    { 'ingress.paths': [{ path: '/auth', pathType: 'Prefix' }] },
    /paths does not contain \//,
  ],
  [
    'a port of nodes for nobody',
    { 'service.nodePort': 30080 },
    /nodePort has no effect on a Service of type ClusterIP/,
  ],
  [
    'a scrape longer than its interval',
    { 'serviceMonitor.enabled': true, 'serviceMonitor.scrapeTimeout': '1m' },
    /scrapeTimeout \(1m\) is longer than its interval \(30s\)/,
  ],
  [
    'another ConfigMap that rolls',
    { existingConfigMap: 'mine', reload: 'roll' },
    /reload: roll has no effect with existingConfigMap/,
  ],
  [
    'two places of files',
    { existingConfigMap: 'mine', files: { 'a.yaml': 'x' } },
    /files and existingConfigMap are both set/,
  ],
  [
    'an ingress for an unknown host',
    { existingConfigMap: 'mine', 'config.publicUrl': undefined },
    /config\.publicUrl is missing: with existingConfigMap/,
  ],
  ['a probe of another path', { 'livenessProbe.path': '/' }, /livenessProbe.*path/s],
  ['a reload that is none', { reload: 'always' }, /reload/],
  ['a section whose entries are all commented out', { ingress: null }, /ingress/],
  ['a file that no volume takes', { files: { '..data': 'x' } }, /\.\.data/],
  ['a digest that is none', { 'image.digest': 'sha256:1234' }, /digest/],
]

t.test('the values that are bent here are good ones', { skip }, async t => {
  for (const helm of helms) t.equal((await template({ helm, values: goodValues() })).code, 0)
})

for (const [what, changes, says] of refused) {
  t.test(what, { skip }, async t => {
    const all = await Promise.all(helms.map(helm => template({ helm, values: valuesWith(changes) })))
    for (const { code, stderr } of all) {
      t.equal(code, 1)
      t.match(stderr, says)
    }
  })
}

// What a hand that knows other charts types.
t.test('values of other charts are answered with the name that they have here', { skip }, async t => {
  const values = valuesWith({
    ...{ replicaCount: 3, 'ingress.ingressClassName': 'nginx', 'redis-ha.enabled': true, existingSecret: 'x' },
    ...{ 'config.cookieSecret': 'x', 'ingress.hosts': [{ host: 'desk.example.com', paths: [{ path: '/' }] }] },
    ...{
      'autoscaling.targetCPUUtilizationPercentage': 80,
      metrics: { enabled: true },
      imagePullSecrets: [{ name: 'x' }],
    },
  })
  for (const helm of helms) {
    const { code, stderr } = await template({ helm, values })
    t.equal(code, 1)
    for (const says of [
      'replicaCount is not a value of this chart: use replicas',
      'ingress.ingressClassName is not a value of this chart: use ingress.className',
      'redis-ha is not a value of this chart: the chart includes no Redis',
      'existingSecret is not a value of this chart: use secrets.existingSecret',
      'config.cookieSecret is not a value of this chart: use config.secrets',
      'ingress.hosts[0] is a mapping: write the host name alone',
      'targetCPUUtilizationPercentage is not a value of this chart: use autoscaling.targetCPU',
      'metrics is not a value of this chart',
      'imagePullSecrets is not a value of this chart: use image.pullSecrets',
    ]) {
      t.match(stderr, says)
    }
  }
})

t.test('each of them by itself', { skip }, async t => {
  for (const path of Object.keys(habits)) {
    const { code, stderr } = await template({ values: valuesWith({ [path]: {} }) })
    t.equal(code, 1, path)
    t.match(stderr, `${path} is not a value of this chart: `)
  }
})

t.test('everything that is wrong is said at once', { skip }, async t => {
  const values = valuesWith({
    ...memory,
    'config.trustedProxies': [],
    terminationGracePeriodSeconds: 10,
    secrets: undefined,
  })
  const { stderr } = await template({ values })
  t.equal(stderr.match(/^- /gm)?.length, 5)
})

t.test('what is not a secret may stand in config, and a variable that is set may be named', { skip }, async t => {
  const values = valuesWith({
    'config.sessions.store': 'redis://redis:6379/0',
    'config.secrets': [{ env: 'RING' }, { file: '/vault/ring' }],
    extraEnv: [{ name: 'RING', valueFrom: { secretKeyRef: { name: 'x', key: 'y' } } }],
    extraVolumeMounts: [{ name: 'vault', mountPath: '/vault' }],
    extraVolumes: [{ name: 'vault', emptyDir: {} }],
    'config.audit.to': ['stdout', '/vault/audit.log'],
  })
  for (const helm of helms) {
    const { code, stderr } = await template({ helm, values })
    t.equal(code, 0, stderr)
  }
})
