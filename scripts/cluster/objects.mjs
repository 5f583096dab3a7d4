// The objects around the gateway: a Redis, a Desk and a client, in a namespace that holds its pods to the restricted profile;
// and the values of the chart for them.

const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }

function deployment(name, container, { user, group = user, volumes = [] }) {
  const labels = { 'deskgate-try': name }
  const securityContext = {
    ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: group },
    seccompProfile: { type: 'RuntimeDefault' },
  }
  const pod = {
    ...{ securityContext, automountServiceAccountToken: false, terminationGracePeriodSeconds: 2, volumes },
    containers: [{ name, imagePullPolicy: 'IfNotPresent', securityContext: restricted, ...container }],
  }
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: pod },
    },
  }
}

const service = (name, ...ports) => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
  spec: { selector: { 'deskgate-try': name }, ports: ports.map(port => ({ name: `p${port.port}`, ...port })) },
})

const script = {
  volume: { name: 'script', configMap: { name: 'script' } },
  mount: { name: 'script', mountPath: '/script' },
}

/** What ends TLS before the gateway at `base`. */
export function front({ image, base, key, certificate }) {
  const command = ['node', '/script/inside.mjs', 'front', JSON.stringify({ base })]
  const volumeMounts = [script.mount, { name: 'tls', mountPath: '/tls' }]
  const volumes = [script.volume, { name: 'tls', secret: { secretName: 'front' } }]
  return [
    secretObject({ 'tls.key': key, 'tls.crt': certificate }, { name: 'front' }),
    deployment('front', { image, command, volumeMounts }, { user: 10001, volumes }),
    service('front', { port: 443, targetPort: 8443 }, { port: 80, targetPort: 8080 }),
  ]
}

export function around({ image, redis, code }) {
  const node = command => ({ image, command, volumeMounts: [script.mount] })
  // Nothing is saved: a Redis that is lost has lost its sessions.
  const args = ['redis-server', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  const user = { user: 10001, volumes: [script.volume] }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'script' }, data: { 'inside.mjs': code } },
    deployment('redis', { image: redis, args, workingDir: '/tmp' }, { user: 999, group: 1000 }),
    service('redis', { port: 6379 }),
    deployment('desk', node(['node', '/script/inside.mjs', 'desk']), user),
    service('desk', { port: 3000 }),
    deployment(
      'client',
      node(['node', '-e', "setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit())"]),
      user,
    ),
  ]
}

export const secretObject = (data, metadata = { name: 'deskgate' }) => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata },
  stringData: data,
})

/** Two pods. By the Services' addresses, so that the cluster's DNS is not needed. */
export function valuesFor({ image, desk, agents }) {
  const [, registry = '', repository, tag] = /^(?:([^/]+\.[^/]+)\/)?(.+):([^:/]+)$/.exec(image) ?? []
  const file = name => ({ file: `/etc/deskgate/secrets/${name}` })
  return {
    replicas: 2,
    image: { registry, repository, tag },
    config: {
      publicUrl: 'https://desk.example.com',
      trustedProxies: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
      secrets: [file('ring')],
      desk: { url: `http://${desk}:3000`, public: ['GET /assets/*'] },
      providers: [
        {
          ...{ id: 'portal', type: 'jwt', name: 'Aloha Portal', loginUrl: 'https://portal.example.com/login' },
          secrets: [file('portal')],
        },
      ],
      agents: [{ file: 'agents.yaml' }],
      sessions: { store: file('redis-url') },
      ops: { adminToken: file('admin-token') },
      drain: '9s',
    },
    files: { 'agents.yaml': agents.map(email => `- { email: ${email} }\n`).join('') },
    secrets: { existingSecret: 'deskgate' },
    podDisruptionBudget: { maxUnavailable: 1 },
  }
}
