// Sessions: where they are kept and when they end.

import * as z from 'zod'
import { clientTls, duration, type Reader, secret } from './values.js'

const scheme = /^(memory$|redis:\/\/|rediss:\/\/|redis\+sentinel:\/\/|redis\+cluster:\/\/)/

const store = (read: Reader) =>
  z
    .union([
      z
        .strictObject({
          url: secret(read),
          username: z.string().optional(),
          password: secret(read).optional(),
          sentinelPassword: secret(read).optional(),
          tls: clientTls(read).optional(),
          keyPrefix: z.string().default('deskgate:'),
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
    ])
    .prefault('memory')
    .refine(
      ({ url }) => url === undefined || scheme.test(url.reveal()),
      'memory, or a URL: redis://, rediss://, redis+sentinel://, redis+cluster://',
    )

export const sessions = (read: Reader) =>
  z
    .strictObject({
      store: store(read).meta({
        description:
          'memory, a Redis URL (a secret value), or { url, username, password, sentinelPassword, tls, keyPrefix }.',
      }),
      idle: duration()
        .default(28_800_000)
        .meta({ description: 'A session ends after this long without activity.', shown: '8h' }),
      lifetime: duration()
        .default(86_400_000)
        .meta({ description: 'A session ends this long after the login.', shown: '24h' }),
      idleIgnore: z.array(z.string()).default([]).meta({ description: 'Paths whose requests are no activity.' }),
      perAgent: z
        .int()
        .min(0)
        .default(0)
        .meta({ description: 'The most live sessions of an agent, the oldest ends first; 0: no limit.' }),
      nearCache: duration()
        .default(30_000)
        .meta({ description: 'How long a process may use what it read without reading again.', shown: '30s' }),
      outageGrace: duration()
        .default(0)
        .meta({ description: 'How long known sessions are served while the store is down.', shown: '0s' }),
    })
    .prefault({})
    .meta({ description: 'Where sessions are kept and when they end.' })

export type SessionSettings = z.output<ReturnType<typeof sessions>>
export type StoreSettings = SessionSettings['store']
