// The directory (who is an agent) and what agents may reach.

import * as z from 'zod'
import { pathRule } from './desk.js'
import { duration, file, type Reader, secret } from './values.js'

const pointer = () => z.string().regex(/^(\/[^/]*)*$/, 'a JSON pointer such as /email')

const http = (read: Reader) =>
  z.strictObject({
    url: z.string().min(1),
    headers: z.record(z.string(), secret(read)).default({}),
    list: pointer().default(''),
    next: pointer().optional(),
    refresh: duration().default(60_000).meta({ shown: '60s' }),
    staleFor: duration().default(86_400_000).meta({ shown: '24h' }),
    map: z.strictObject({
      email: pointer(),
      id: pointer().optional(),
      name: pointer().optional(),
      roles: pointer().optional(),
      active: pointer().optional(),
    }),
  })

const source = (read: Reader) =>
  z.union([
    z.strictObject({ file: file(read) }),
    z.strictObject({ http: http(read) }),
    z.strictObject({
      domains: z.array(z.string().regex(/^[^@\s/]+\.[^@\s/]+$|^localhost$/, 'a domain such as example.com')).min(1),
    }),
    z.strictObject({ any: z.literal(true) }),
  ])

export const agents = (read: Reader) =>
  z
    .array(source(read))
    .min(1, 'at least one source: who may enter is never a default')
    .meta({
      description:
        'The directory, asked in order: file, http, domains, any. A source that knows the e-mail ends the search.',
      examples: [[{ file: 'agents.yaml' }, { domains: ['example.com'] }]],
    })

export const access = () =>
  z
    .strictObject({
      paths: z
        .array(z.strictObject({ match: pathRule(), roles: z.array(z.string()).min(1) }))
        .default([])
        .meta({ description: 'Paths that need one of the roles.' }),
    })
    .prefault({})
    .meta({ description: 'Who may reach what.' })

/** One entry of an agents file. */
export const agentEntry = z.strictObject({
  email: z.string(),
  id: z.string().optional(),
  name: z.string().optional(),
  roles: z.array(z.string()).optional(),
  active: z.boolean().default(true),
})

export type AgentSource = z.output<ReturnType<typeof source>>
