// The gateway itself: where it listens, its public address, and its trusted proxies.

import * as z from 'zod'
import { address, type ConfigReader, duration, file, keyFile, off, origin, says, secret, size } from './values.js'

export const publicUrl = () =>
  origin('https://desk.example.com').meta({
    description: 'The origin that browsers use. Every URL and cookie is built from it, never from the Host header.',
    examples: ['https://desk.example.com'],
  })

export const listen = () =>
  address().default('0.0.0.0:8080').meta({ description: 'Where the gateway listens: host:port or unix:/path.' })

export const tls = (read: ConfigReader) =>
  z
    .strictObject({
      cert: file(read).meta({ description: 'PEM file of the certificate and its chain.' }),
      key: keyFile(read).meta({ description: 'PEM file of its key.' }),
    })
    .optional()
    .meta({ description: 'TLS on the listener (HTTP/1.1).', examples: [{ cert: 'tls.crt', key: 'tls.key' }] })

export const prefix = () =>
  z
    .string()
    .regex(/^(\/[A-Za-z0-9_-]+)+$/, says('invalid prefix', 'such as /auth'))
    .default('/auth')
    .meta({
      description: "Where the gateway's own paths are. /auth/jwt/* and /auth/saml/acs stay where they are in any case.",
    })

export const workers = () =>
  z
    .union([z.int().min(1).max(256), z.literal('auto')], { error: says('invalid number of processes') })
    .default(1)
    .meta({
      description: 'Processes behind the one port, each with its own connections to Redis; auto: one per core.',
    })

export const mode = () =>
  z
    .enum(['enforce', 'observe'], { error: says('must be enforce or observe') })
    .default('enforce')
    .meta({
      description:
        'observe guards nothing: what would be stopped reaches Desk without identity, and `deskgate observed` lists it. For a trial in front of a Desk that still protects itself.',
    })

export const observe = () =>
  z
    .strictObject({
      enforce: z
        .array(
          z
            .string()
            .regex(
              /^\/[^\s*?#%;\\]*\*?$/,
              says('invalid path', 'such as /admin/*: no method, * only at the end, no query'),
            ),
        )
        .default([])
        .meta({
          description:
            'Paths that stay guarded, with every method. A path that some server could read as one of these is guarded too.',
          examples: [['/admin/*']],
        }),
    })
    .prefault({})
    .meta({ description: 'For mode: observe.' })

export const trustedProxies = () =>
  z
    .array(z.string())
    .default([])
    .meta({
      description: 'CIDRs of the proxies whose X-Forwarded-* headers are accepted; none by default.',
      examples: [['10.0.0.0/8']],
    })

export const secrets = (read: ConfigReader) =>
  z
    .array(secret(read))
    .default([])
    .meta({
      description:
        'The key ring, at least 32 bytes each: the first seals, all open. Needed unless the store is memory.',
      examples: [[{ env: 'DESKGATE_SECRET' }]],
    })

export const hsts = () =>
  z
    .strictObject({
      maxAge: duration('0s', '3650d')
        .prefault('365d')
        .meta({ description: 'How long browsers remember it; 0s makes them forget it.' }),
      includeSubDomains: off('Also for every subdomain of the host.'),
      preload: off('Consents to the preload list: browsers then ship with this host on it.'),
    })
    .nullable()
    .default(null)
    .meta({
      description:
        "Strict-Transport-Security on the gateway's own responses: browsers then use https only for the host, Desk included. null: left out.",
      examples: [{ maxAge: '365d' }],
    })

export const limits = () =>
  z
    .strictObject({
      header: size('8kb', '1mb').prefault('32kb').meta({ description: "The most bytes of a request's head." }),
      headers: z.int().min(10).max(10_000).default(200).meta({ description: 'The most header lines of a request.' }),
      logins: z
        .string()
        .regex(/^[1-9]\d{0,5}\/(s|m|h)$/, says('invalid rate', 'such as 60/m'))
        .default('60/m')
        .meta({ description: 'Refused logins per address (IPv6: per /64).' }),
      pipelined: z
        .int()
        .min(1)
        .max(1000)
        .default(8)
        .meta({ description: 'The most requests in progress on one connection; the others wait.' }),
      unread: size('1mb', '16384mb').prefault('64mb').meta({
        description:
          'The most bytes that wait for slow clients, on all connections together; above it, the connections with the most unread bytes are closed.',
      }),
      memory: size('64mb', '1048576mb')
        .nullable()
        .default(null)
        .meta({
          description:
            'The resident memory of a process above which new requests are refused; null: 90% of what the cgroup allows.',
          examples: ['400mb'],
        }),
      bodies: size('1mb', '4096mb').prefault('32mb').meta({
        description: 'The most bytes of all unfinished forms together, in each process; one address may use a quarter.',
      }),
      callback: size('16kb', '4mb').prefault('256kb').meta({
        description: 'The longest token or SAML response, measured as the form field that the identity provider posts.',
      }),
    })
    .prefault({})
    .meta({ description: 'What clients may ask of the gateway, each one and all together.' })

export const runtime = () =>
  z
    .strictObject({
      tuning: z
        .enum(['auto', 'off'], { error: says('must be auto or off') })
        .default('auto')
        .meta({
          description:
            "auto keeps an idle process fast and frees the buffers of large bodies early; off leaves V8 as it is, for comparison or for an operator's own flags.",
        }),
    })
    .prefault({})
    .meta({ description: 'How the gateway uses the JavaScript engine (V8).' })

export const drain = () =>
  duration('0s', '24h').prefault('30s').meta({
    description:
      'How long the shutdown may take after SIGTERM. For a third of that time the gateway keeps serving while /ready answers 503, so that load balancers notice. Then open requests finish, and what is still open shortly before the end is cut.',
  })
