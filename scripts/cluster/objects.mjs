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

const service = (name, port) => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
  spec: { selector: { 'deskgate-try': name }, ports: [{ port }] },
})

export function around({ image, redis, script }) {
  const volumes = [{ name: 'script', configMap: { name: 'script' } }]
  const node = command => ({ image, command, volumeMounts: [{ name: 'script', mountPath: '/script' }] })
  // Nothing is saved: a Redis that is lost has lost its sessions.
  const args = ['redis-server', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  const user = { user: 10001, volumes }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'script' }, data: { 'inside.mjs': script } },
    deployment('redis', { image: redis, args, workingDir: '/tmp' }, { user: 999, group: 1000 }),
    service('redis', 6379),
    deployment('desk', node(['node', '/script/inside.mjs', 'desk']), user),
    service('desk', 3000),
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
