// Values of the chart that work, for tests to break or to bend one thing at a time.

/** A mapping as in values.yaml. */
export type Values = Record<string, unknown>

const folder = '/etc/deskgate/secrets'

/** Two pods on a Redis behind an Ingress. */
export function goodValues(): Values {
  return {
    replicas: 2,
    config: {
      publicUrl: 'https://desk.example.com',
      trustedProxies: ['10.0.0.0/8'],
      secrets: [{ file: `${folder}/ring` }],
      desk: { url: 'http://desk:3000' },
      providers: [
        {
          ...{ id: 'portal', type: 'jwt', name: 'Aloha Portal', loginUrl: 'https://portal.example.com/login' },
          secrets: [{ file: `${folder}/portal` }],
        },
      ],
      agents: [{ domains: ['example.com'] }],
      sessions: { store: { file: `${folder}/redis-url` } },
    },
    secrets: { existingSecret: 'deskgate', keys: { ring: 'ring', portal: 'portal', 'redis-url': 'redis-url' } },
    ingress: { enabled: true },
  }
}

/** The good ones with some values changed, by dotted path: undefined takes one out. */
export function valuesWith(changes: Record<string, unknown>): Values {
  const values = goodValues()
  for (const [path, value] of Object.entries(changes)) set(values, path.split('.'), value)
  return values
}

function set(holder: Values, [key = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    if (value === undefined) delete holder[key]
    else holder[key] = value
    return
  }
  holder[key] ??= {}
  set(holder[key] as Values, rest, value)
}
