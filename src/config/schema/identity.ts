// What Desk is told about the agent.

import * as z from 'zod'
import { type ConfigReader, duration, headerName, keyFile } from './values.js'

export const identity = (read: ConfigReader) =>
  z
    .strictObject({
      headers: z
        .strictObject({
          id: headerName()
            .default('X-Agent-Id')
            .meta({ description: "The agent's ID in Desk, empty where the directory states none." }),
          email: headerName().default('X-Agent-Email').meta({ description: 'The e-mail address.' }),
          name: headerName().default('X-Agent-Name').meta({ description: 'The display name.' }),
          roles: headerName().default('X-Agent-Roles').meta({ description: 'The roles, joined by commas.' }),
          provider: headerName()
            .default('X-Agent-Provider')
            .meta({ description: 'The provider that the agent logged in by.' }),
        })
        .prefault({})
        .meta({ description: 'The names of the identity headers.' }),
      assertion: z
        .strictObject({
          header: headerName().default('X-Agent-Assertion').meta({ description: 'The header that it is in.' }),
          ttl: duration('2s', '1h').prefault('60s').meta({ description: 'How long an assertion is valid.' }),
          audience: z
            .string()
            .min(1)
            .nullable()
            .default(null)
            .meta({ description: 'Its aud; null: the origin of desk.url.', examples: ['desk'] }),
          keys: z
            .array(keyFile(read))
            .default([])
            .meta({
              description:
                'PEM files of ES256 keys, the first signs; none: derived from secrets, the same on every replica.',
              examples: [['identity.key']],
            }),
        })
        .prefault({})
        .meta({ description: 'The signed assertion.' }),
    })
    .prefault({})
    .meta({ description: 'What Desk is told about the agent.' })

export type IdentitySettings = z.output<ReturnType<typeof identity>>
