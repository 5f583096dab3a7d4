// Sessions: where they are kept and when they end.

import * as z from 'zod'
import { pathRule } from './desk.js'
import { type ConfigReader, clientTls, duration, says, secret, text } from './values.js'

const scheme = /^(memory$|rediss?(\+sentinel|\+cluster)?:\/\/)/

const store = (read: ConfigReader) =>
  z
    .union(
      [
        z
          .strictObject({
            url: secret(read).meta({ description: 'memory or a Redis URL.' }),
            username: text().optional().meta({ description: 'Redis ACL user; default: the one of the URL.' }),
            password: secret(read).optional().meta({ description: 'Its password.' }),
            sentinelPassword: secret(read).optional().meta({ description: 'The password of the Sentinels.' }),
            tls: clientTls(read)
              .optional()
              .meta({ description: 'For rediss://; with redis+sentinel:// and redis+cluster:// it turns TLS on.' }),
            keyPrefix: z
              .string()
              .regex(/^[\x21-\x7e]{0,64}$/, says('contains a character that keys may not contain'))
              .default('deskgate:')
              .meta({ description: 'What every key begins with.' }),
          })
          .meta({ title: 'object form' }),
        secret(read).transform(url => ({
          url,
          username: undefined,
          password: undefined,
          sentinelPassword: undefined,
          tls: undefined,
          keyPrefix: 'deskgate:',
        })),
      ],
      { error: says('invalid store', 'memory, a Redis URL, or { url, password, tls… }') },
    )
    .prefault('memory')
    .refine(
      ({ url }) => url === undefined || scheme.test(url.reveal()),
      says('invalid store', 'memory, or a URL: redis://, rediss://, redis+sentinel://, redis+cluster://'),
    )

export const sessions = (read: ConfigReader) =>
  z
    .strictObject({
      store: store(read).meta({
        description:
          'memory (one process), a Redis URL (a secret value), or { url, username, password, sentinelPassword, tls, keyPrefix }.',
        examples: [
          { env: 'REDIS_URL' },
          {
            url: 'rediss://redis.internal:6379/0',
            username: 'deskgate',
            password: { env: 'REDIS_PASSWORD' },
            tls: { ca: 'ca.pem' },
            keyPrefix: 'deskgate:',
          },
        ],
      }),
      idle: duration('1s', '400d')
        .prefault('8h')
        .meta({ description: 'A session ends after this long without activity.' }),
      lifetime: duration('1s', '400d')
        .prefault('24h')
        .meta({ description: 'A session ends this long after the login.' }),
      idleIgnore: z
        .array(pathRule())
        .default([])
        .meta({
          description: 'Paths, written as in desk.public, whose requests do not count as activity.',
          examples: [['/api/poll']],
        }),
      perAgent: z
        .int()
        .min(0)
        .default(0)
        .meta({ description: 'The most live sessions of an agent, the oldest ends first; 0: no limit.' }),
      nearCache: duration('0s', '1h')
        .prefault('30s')
        .meta({ description: 'The longest that a revoked session could still be served if messages were lost.' }),
      outageGrace: duration('0s', '24h')
        .prefault('0s')
        .meta({ description: 'How long known sessions are served while the store is down.' }),
    })
    .prefault({})
    .meta({ description: 'Where sessions are kept and when they end.' })

type SessionSettings = z.output<ReturnType<typeof sessions>>
export type StoreSettings = SessionSettings['store']
