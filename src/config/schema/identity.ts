// What Desk is told about the agent.

import * as z from 'zod'
import { type ConfigReader, duration, headerName, keyFile, says, text } from './values.js'

/** How the values of the headers are written. */
const format = () =>
  z
    .strictObject({
      email: z
        .enum(['full', 'local'], { error: says('must be full or local') })
        .default('full')
        .meta({ description: 'local: only the part before the @.' }),
      case: z
        .enum(['keep', 'lower'], { error: says('must be keep or lower') })
        .default('keep')
        .meta({ description: 'lower: A to Z of the e-mail address and the ID in lower case.' }),
      roles: z
        .enum(['commas', 'lines'], { error: says('must be commas or lines') })
        .default('commas')
        .meta({ description: 'commas: one header line with all roles; lines: a line for each.' }),
      encoding: z
        .enum(['percent', 'utf8'], { error: says('must be percent or utf8') })
        .default('percent')
        .meta({
          description:
            'percent: whatever is not printable ASCII, and %, is percent-encoded UTF-8; utf8: the bytes as they are, for a Desk that decodes nothing.',
        }),
    })
    .prefault({})
    .meta({ description: 'How the values of the identity headers are written; the assertion stays as it is.' })

export const identity = (read: ConfigReader) =>
  z
    .strictObject({
      headers: z
        .strictObject({
          id: headerName().default('X-Agent-Id').meta({
            description:
              "The agent's ID in Desk; empty where neither the directory nor the provider's attributes.id states one.",
          }),
          email: headerName().default('X-Agent-Email').meta({ description: 'The e-mail address.' }),
          name: headerName().default('X-Agent-Name').meta({ description: 'The display name.' }),
          roles: headerName()
            .default('X-Agent-Roles')
            .meta({ description: 'The roles, written as format.roles says.' }),
          provider: headerName()
            .default('X-Agent-Provider')
            .meta({ description: 'The provider that the agent logged in with.' }),
        })
        .prefault({})
        .meta({
          description:
            'The names of the identity headers. X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Groups, X-Forwarded-Preferred-Username, Remote-User and the like may be used too.',
        }),
      format: format(),
      assertion: z
        .strictObject({
          header: headerName().default('X-Agent-Assertion').meta({ description: 'The header that it is in.' }),
          ttl: duration('2s', '1h').prefault('60s').meta({ description: 'How long an assertion is valid.' }),
          audience: text()
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
