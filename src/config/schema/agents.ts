// The directory (who is an agent) and what agents may reach.

import * as z from 'zod'
import { pathRule } from './desk.js'
import { duration, file, type Reader, says, secret } from './values.js'

const pointer = () => z.string().regex(/^(\/[^/]*)*$/, says('is no JSON pointer', 'such as /email'))

const http = (read: Reader) =>
  z.strictObject({
    url: z.string().min(1),
    headers: z.record(z.string(), secret(read)).default({}),
    list: pointer().default(''),
    next: pointer().optional(),
    refresh: duration('1s', '24h').prefault('60s'),
    staleFor: duration('0s', '24d').prefault('24h'),
    map: z.strictObject({
      email: pointer(),
      id: pointer().optional(),
      name: pointer().optional(),
      roles: pointer().optional(),
      active: pointer().optional(),
    }),
  })

const domain = () => {
  const wrong = says('is no domain', 'such as example.com: no @, no *, subdomains one by one')
  return z
    .string(wrong)
    .regex(/^[^@\s/*:.]+(\.[^@\s/*:.]+)*$/, wrong)
    .transform(value => value.toLowerCase())
}

const source = (read: Reader) =>
  z.union(
    [
      z.strictObject({ file: file(read) }),
      z.strictObject({ http: http(read) }),
      z.strictObject({ domains: z.array(domain()).min(1) }),
      z.strictObject({ any: z.literal(true) }),
    ],
    { error: says('is not one source', 'exactly one of file, http, domains or any') },
  )

export const agents = (read: Reader) =>
  z
    .array(source(read))
    .min(1, says('must name at least one source', 'who may enter is never a default'))
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
