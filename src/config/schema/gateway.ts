// The gateway itself: where it listens, what the outside calls it, and whom it believes.

import * as z from 'zod'
import { duration, file, type Reader, secret, size } from './values.js'

const cidr = /^[0-9a-fA-F.:]+\/\d{1,3}$/

export const publicUrl = () =>
  z
    .url({ protocol: /^https?$/, error: 'an origin such as https://desk.example.com' })
    .refine(value => new URL(value).origin === value.replace(/\/$/, ''), 'an origin without path, query or user')
    .transform(value => new URL(value).origin)
    .meta({
      description: 'The origin that browsers use. Every URL and cookie is built from it, never from the Host header.',
      examples: ['https://desk.example.com'],
    })

export const listen = () =>
  z
    .string()
    .regex(/^(unix:\/.+|\[[0-9a-fA-F:.]+\]:\d{1,5}|[^:[\]]+:\d{1,5})$/, 'host:port or unix:/path')
    .default('0.0.0.0:8080')
    .meta({ description: 'host:port or unix:/path.' })

export const tls = (read: Reader) =>
  z
    .strictObject({
      cert: file(read).meta({ description: 'PEM file of the certificate and its chain.' }),
      key: file(read).meta({ description: 'PEM file of its key.' }),
    })
    .optional()
    .meta({ description: 'TLS on the listener (HTTP/1.1).', examples: [{ cert: 'tls.crt', key: 'tls.key' }] })

export const prefix = () =>
  z
    .string()
    .regex(/^(\/[A-Za-z0-9_-]+)+$/, 'a path such as /auth')
    .default('/auth')
    .meta({
      description: "Where the gateway's own paths are. /auth/jwt/* and /auth/saml/acs stay where they are in any case.",
    })

export const workers = () =>
  z
    .union([z.int().min(1).max(256), z.literal('auto')])
    .default(1)
    .meta({ description: 'Processes behind the one port; auto: one per core.' })

export const trustedProxies = () =>
  z
    .array(z.string().regex(cidr, 'a CIDR such as 10.0.0.0/8'))
    .default([])
    .meta({ description: 'CIDRs of the proxies whose X-Forwarded-* is believed; none by default.' })

export const secrets = (read: Reader) =>
  z
    .array(secret(read))
    .default([])
    .meta({
      description:
        'The key ring, at least 32 bytes each: the first seals, all open. Needed unless the store is memory.',
      examples: [[{ env: 'DESKGATE_SECRET' }]],
    })

export const limits = () =>
  z
    .strictObject({
      header: size()
        .default(32 * 1024)
        .meta({ description: "The most bytes of a request's head.", shown: '32kb' }),
      headers: z.int().min(10).max(10_000).default(200).meta({ description: 'The most header lines of a request.' }),
      logins: z
        .string()
        .regex(/^\d{1,6}\/(s|m|h)$/, 'a rate such as 60/m')
        .default('60/m')
        .meta({ description: 'Refused logins per address (IPv6: per /64).' }),
    })
    .prefault({})
    .meta({ description: 'What one client may ask of the gateway.' })

export const drain = () =>
  duration().default(30_000).meta({ description: 'How long requests under way may take after SIGTERM.', shown: '30s' })
