// POST /api/rehearsal opens a throw-away provider for one login of nobody (providers/rehearsal.ts); DELETE ends it before
// its minute is over. Both are audited. Only the response of POST has the secret.

import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import type { Clock } from '../../core/clock.js'
import type { SessionSelector } from '../../core/sessions.js'
import type { Audit } from '../audit.js'
import type { Log } from '../log.js'
import { json, type Operation, problem, storeDown } from './openapi.js'

export interface RehearsalApiDeps {
  rehearsals: {
    open(): Promise<{ id: string; secret: string; until: number } | { busyUntil: number }>
    end(id: string): Promise<boolean>
  }
  store: { probe(): Promise<void> }
  sessions: { end(selector: SessionSelector, why: string, by: 'ops'): Promise<number> }
  settings(): { publicUrl: string; paths: { login: string; jwt: string; rehearsal: string } }
  clock: Clock
  audit: Audit
  log: Log
}

const time = (description: string) => z.int().meta({ description: `${description}, in milliseconds since the epoch.` })
const url = (description: string) => z.string().meta({ description })

const answerSchema = z.strictObject({
  id: z.string(),
  agent: z.string(),
  secret: z.string().meta({ description: 'Signs the token: HS256, iss is the ID, aud is publicUrl.' }),
  login: url('Where the login begins.'),
  callback: url('Where the token is posted to.'),
  echo: url("What the session reaches besides Desk's first page."),
  publicUrl: z.string(),
  until: time('When it ends'),
  now: time("The gateway's clock"),
  store: z
    .string()
    .nullable()
    .meta({ description: 'Why writing or publishing in the session store fails; null: it works.' }),
})

/** The response of POST. */
export type RehearsalAnswer = z.infer<typeof answerSchema>

const opening: Operation = {
  summary: 'Opens a throw-away provider for one login of doctor@invalid, for a minute.',
  answers: {
    201: json('The rehearsal. Only this response has its secret.', answerSchema),
    409: { description: 'Another one is open. Retry-After says when to ask again.' },
    503: storeDown,
  },
}

const ending: Operation = {
  summary: 'Ends a rehearsal and its session before its minute is over.',
  path: { id: 'The ID from the response to POST.' },
  answers: {
    200: json('It is over.', z.strictObject({ ended: z.boolean(), sessions: z.int() })),
    404: { description: 'No such rehearsal is open, or ops.adminToken is not set.' },
    503: storeDown,
  },
}

/** The same as providers/rehearsal.ts says. */
const agent = 'doctor@invalid'

/** Registers the routes on the API's own context, behind the admin token. */
export function rehearsalRoutes(app: FastifyInstance, deps: RehearsalApiDeps): void {
  const { rehearsals, sessions, clock, audit, log } = deps

  app.post('/rehearsal', { config: { operation: opening } }, async (request, reply) => {
    const opened = await rehearsals.open()
    if ('busyUntil' in opened) {
      const wait = Math.max(1, Math.ceil((opened.busyUntil - clock.now()) / 1000))
      const detail = `there is one at a time, for a minute at most: try again in ${wait} s`
      return problem(reply.header('retry-after', String(wait)), 409, 'Another rehearsal is open', { detail })
    }
    const { id, secret, until } = opened
    const facts = { provider: id, agent, until: new Date(until).toISOString(), address: request.ip }
    audit({ event: 'rehearsal_opened', ...facts })
    log.warn(facts, 'rehearsal opened')
    const { publicUrl, paths } = deps.settings()
    const fault = await deps.store.probe().then(
      () => null,
      (error: Error) => error.message,
    )
    const answer: RehearsalAnswer = {
      ...{ id, agent, secret, until, publicUrl, now: clock.now(), store: fault },
      login: `${publicUrl}${paths.login}/${id}`,
      callback: `${publicUrl}${paths.jwt}/${id}`,
      echo: `${publicUrl}${paths.rehearsal}/${id.slice(id.indexOf('.') + 1)}`,
    }
    return reply.code(201).header('cache-control', 'no-store').send(answer)
  })

  app.delete<{ Params: { id: string } }>(
    '/rehearsal/:id',
    { config: { operation: ending } },
    async (request, reply) => {
      const { id } = request.params
      const ended = await rehearsals.end(id)
      const count = await sessions.end({ email: agent, provider: id }, 'the rehearsal is over', 'ops')
      if (!ended && count === 0) return problem(reply, 404, 'No such rehearsal is open')
      audit({ event: 'rehearsal_ended', provider: id, agent, count, address: request.ip })
      return reply.send({ ended, sessions: count })
    },
  )
}
