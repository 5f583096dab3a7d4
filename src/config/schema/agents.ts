// The directory (who is an agent) and what agents may reach.

import * as z from 'zod'
import { canonicalEmail } from '../../core/email.js'
import { pointerShape } from '../../core/json-pointer.js'
import { accessRequest, pathRule } from './desk.js'
import { type ConfigReader, duration, file, says, secret, text } from './values.js'

const pointer = () => z.string().regex(pointerShape, says('invalid JSON pointer', 'such as /email'))

/** Anyone can choose the address that replaces {email}: it must not choose the server. */
const listUrl = () => {
  const wrong = says(
    'invalid http or https URL',
    'such as https://desk.example.com/api/users, {email} in path or query only',
  )
  return z.string(wrong).refine(value => {
    const plain = value.replaceAll('{email}', 'e')
    if (!/^https?:\/\//.test(value) || !URL.canParse(plain) || value.includes('#')) return false
    const { origin, username, password } = new URL(plain)
    return username === '' && password === '' && new URL(value.replaceAll('{email}', 'f')).origin === origin
  }, wrong)
}

const http = (read: ConfigReader) =>
  z.strictObject({
    url: listUrl().meta({
      description: 'A list of all agents; with {email} in its path or query: one look-up per login.',
    }),
    headers: z
      .record(z.string(), secret(read))
      .default({})
      .meta({ description: 'Headers of the request; each value is a secret value.' }),
    list: pointer().default('').meta({ description: 'Where the agents are in the response (a JSON pointer).' }),
    next: pointer()
      .optional()
      .meta({ description: 'Where the URL of the next page is; without it the Link header (rel=next) is followed.' }),
    refresh: duration('1s', '24h').prefault('60s').meta({
      description:
        'How often the list is read, or an agent with an open connection or a recent request looked up again.',
    }),
    staleFor: duration('0s', '24d')
      .prefault('24h')
      .meta({ description: 'How long the last answer is used for logins while there is no newer one.' }),
    map: z
      .strictObject({
        email: pointer(),
        id: pointer().optional(),
        name: pointer().optional(),
        roles: pointer().optional(),
        active: pointer().optional(),
      })
      .meta({ description: 'Where each value is in an agent (JSON pointers).' }),
  })

/** An e-mail domain, in lower case when loaded. */
export const domain = () => {
  const wrong = says('invalid domain', 'such as example.com: no @, no *, subdomains one by one')
  return z
    .string(wrong)
    .regex(/^[^@\s/*:.]+(\.[^@\s/*:.]+)*$/, wrong)
    .transform(value => value.toLowerCase())
}

const source = (read: ConfigReader) =>
  z.union(
    [
      z.strictObject({ file: file(read).meta({ description: 'A YAML list of agents.' }) }),
      z.strictObject({ http: http(read) }),
      z.strictObject({
        domains: z.array(domain()).min(1).meta({ description: 'Everybody with such an address; no subdomains.' }),
      }),
      z.strictObject({
        any: z.literal(true).meta({ description: 'Everybody whom an identity provider authenticates.' }),
      }),
    ],
    { error: says('invalid source', 'set exactly one of file, http, domains and any') },
  )

export const agents = (read: ConfigReader) =>
  z
    .array(source(read))
    .min(1, says('must name at least one source', 'there is no default: name the source of your agents'))
    .meta({
      description:
        'The directory: sources (file, http, domains, any), asked in the order of this list. The first source that knows the e-mail address ends the search.',
      examples: [
        [{ file: 'agents.yaml' }, { domains: ['example.com'] }],
        [{ any: true }],
        [
          {
            http: {
              url: 'http://desk.internal:3000/api/v2/users?per_page=1000',
              headers: { Authorization: { env: 'DESK_API_AUTHORIZATION' } },
              list: '/_embedded/entries',
              next: '/_links/next/href',
              refresh: '60s',
              staleFor: '24h',
              map: { email: '/email', id: '/id', name: '/name', roles: '/level', active: '/available' },
            },
          },
        ],
      ],
    })

const required = <T extends z.ZodType>(value: T, description: string) =>
  z.array(value).min(1).optional().meta({ description })

/** An address in its canonical form. */
const email = () =>
  z.string().transform((value, context) => {
    const canonical = canonicalEmail(value)
    if (canonical !== undefined) return canonical
    context.issues.push({
      code: 'custom',
      message: says('invalid e-mail address', 'such as ana@example.com'),
      input: value,
    })
    return z.NEVER
  })

/** OpenID Connect and SAML know it as a text without spaces; it goes into a header too (RFC 9470 3). */
const context = () =>
  z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, says('invalid context', 'one class or acr value, without spaces'))

/** What a path requires: one kind at least. */
const accessRule = () =>
  z
    .strictObject({
      match: pathRule(),
      roles: required(text(), 'One of these roles.'),
      emails: required(email(), 'One of these e-mail addresses.'),
      domains: required(domain(), 'An address at one of these domains.'),
      providers: required(text(), 'A login with one of these providers.'),
      from: required(z.string(), 'A client in one of these networks (CIDRs).'),
      context: z
        .array(context())
        .min(1)
        .max(16, says('more than 16 contexts'))
        .optional()
        .meta({ description: 'A login at the provider by one of these: SAML AuthnContext classes or acr values.' }),
      maxAge: duration('1s', '30d')
        .optional()
        .meta({ description: 'A login at the provider that is at most this old.' }),
    })
    .refine(
      ({ match, ...kinds }) => Object.values(kinds).some(values => values !== undefined),
      says('requires nothing', 'roles, emails, domains, providers, from, context or maxAge'),
    )

export const breakglass = () =>
  z
    .strictObject({
      from: z
        .array(z.string())
        .default([])
        .meta({
          description: 'CIDRs from which a one-time link may be used; none: from anywhere.',
          examples: [['10.0.0.0/8', '2001:db8::/32']],
        }),
    })
    .prefault({})
    .meta({ description: 'The one-time links of `deskgate breakglass`.' })

export const access = () =>
  z
    .strictObject({
      paths: z
        .array(accessRule())
        .default([])
        .meta({
          description:
            'Paths that only some agents or logins may use, "[METHOD ]/path[*]": roles, emails, domains, providers, from (CIDRs), context (of the login at the provider) and maxAge (how long ago that was). A rule requires each kind that it names, with any one of the values of that kind; every rule that matches must hold.',
          examples: [
            [{ match: '/admin/*', roles: ['admin'] }],
            [{ match: '/payroll/*', domains: ['example.com'], providers: ['corp'], from: ['10.0.0.0/8'] }],
            [{ match: '/billing/*', context: ['https://refeds.org/profile/mfa'], maxAge: '15m' }],
          ],
        }),
    })
    .prefault({})
    .meta({ description: 'Access rules.' })

export const tests = () =>
  z
    .array(
      z.strictObject({
        agent: email().meta({ description: 'Who asks.' }),
        roles: z
          .array(text())
          .optional()
          .meta({ description: 'With these roles; left out: as the agents file states them.' }),
        request: accessRequest().meta({ description: 'For which page, "METHOD /path".' }),
        expect: z.enum(['allowed', 'forbidden']).meta({ description: 'The result that the rules must give.' }),
      }),
    )
    .default([])
    .meta({
      description:
        'Tests of the access rules. They run in `deskgate check`, at each start and at each reload. allowed: at least one provider gives access; forbidden: none does.',
      examples: [
        [
          { agent: 'ana@example.com', roles: ['admin'], request: 'GET /admin/users', expect: 'allowed' },
          { agent: 'ben@example.com', roles: ['agent'], request: 'GET /admin/users', expect: 'forbidden' },
        ],
      ],
    })

/** One entry of an agents file. */
export const agentEntry = z.strictObject({
  email: z.string(),
  id: z.string().optional(),
  name: z.string().optional(),
  roles: z.array(z.string()).optional(),
  active: z.boolean().default(true),
})

export type HttpAgents = z.output<ReturnType<typeof http>>
export type AgentSource = z.output<ReturnType<typeof source>>
