// What Desk is told about the agent.

import * as z from 'zod'
import { duration, file, headerName, type Reader } from './values.js'

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
          ttl: duration().default(60_000).meta({ description: 'How long an assertion is good for.', shown: '60s' }),
          audience: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta({ description: 'aud; default: the origin of desk.url.' }),
          keys: z.array(file(read)).default([]).meta({
            description:
              'PEM files of ES256 keys, the first signs; none: derived from secrets, the same on every replica.',
            secret: true,
          }),
        })
        .prefault({})
        .meta({ description: 'The signed assertion.' }),
    })
    .prefault({})
    .meta({ description: 'What Desk is told about the agent.' })

export type IdentitySettings = z.output<ReturnType<typeof identity>>
