// What Desk is told about the agent.

import * as z from 'zod'
import { duration, headerName, keyFile, type Reader } from './values.js'

export const identity = (read: Reader) =>
  z
    .strictObject({
      headers: z
        .strictObject({
          id: headerName().default('X-Agent-Id'),
          email: headerName().default('X-Agent-Email'),
          name: headerName().default('X-Agent-Name'),
          roles: headerName().default('X-Agent-Roles'),
          provider: headerName().default('X-Agent-Provider'),
        })
        .prefault({})
        .meta({ description: 'The names of the identity headers.' }),
      assertion: z
        .strictObject({
          header: headerName().default('X-Agent-Assertion'),
          ttl: duration('2s', '1h').prefault('60s').meta({ description: 'How long an assertion is good for.' }),
          audience: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta({ description: 'aud; default: the origin of desk.url.' }),
          keys: z.array(keyFile(read)).default([]).meta({
            description:
              'PEM files of ES256 keys, the first signs; none: derived from secrets, the same on every replica.',
          }),
        })
        .prefault({})
        .meta({ description: 'The signed assertion.' }),
    })
    .prefault({})
    .meta({ description: 'What Desk is told about the agent.' })

export type IdentitySettings = z.output<ReturnType<typeof identity>>
