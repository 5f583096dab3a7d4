// POST /api/breakglass: makes a one-time login link for an agent, and records it in log and audit log. Only this response
// contains the link.

import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import type { Directory } from '../../core/directory.js'
import { canonicalEmail } from '../../core/email.js'
import { DirectoryUnavailable } from '../../core/errors.js'
import type { Audit } from '../audit.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics.js'
import { json, type Operation, problem, storeDown } from './openapi.js'

/** Makes links; see providers/breakglass.ts. */
interface BreakglassIssuer {
  issue(order: { agent: string; minutes: number; reason: string; operator: string }): Promise<{
    token: string
    link: { id: string; until: number }
  }>
}

export interface BreakglassApiDeps {
  issuer: BreakglassIssuer
  /** The address of links, without the token. */
  url(): string
  directory: Directory
  audit: Audit
  metrics: Pick<Metrics, 'breakglass'>
  log: Log
}

const answerSchema = z.strictObject({
  url: z.string(),
  agent: z.string(),
  minutes: z.int(),
  until: z.iso.datetime().meta({ description: 'When the link expires.' }),
  warning: z
    .string()
    .exactOptional()
    .meta({ description: 'What the operator should know before passing the link on.' }),
})

/** The response of the API. */
export type BreakglassAnswer = z.infer<typeof answerSchema>

export const leastMinutes = 1
export const mostMinutes = 480

/** One line of free text. */
const line = (most: number) =>
  z
    .string()
    .trim()
    .max(most, `has more than ${most} characters`)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'contains a control character')

const orderSchema = z.strictObject({
  agent: z
    .string()
    .transform(canonicalEmail)
    .refine(email => email !== undefined, 'is not an e-mail address'),
  minutes: z
    .int('is not a whole number')
    .min(leastMinutes, `is less than ${leastMinutes}`)
    .max(mostMinutes, `is more than ${mostMinutes}`)
    .default(30),
  reason: line(500).min(1, 'is empty: give the reason, it goes into the audit log'),
  operator: line(100).default(''),
})

const operation: Operation = {
  summary: 'Makes a one-time login link for an agent.',
  body: orderSchema,
  answers: {
    200: json('The link; only this response has it.', answerSchema),
    400: { description: 'The body is invalid.' },
    422: { description: 'The directory does not know this agent, or says that they are inactive.' },
    503: storeDown,
  },
}

/** Registers the route on the API's own context, behind the admin token. */
export function breakglassRoute(app: FastifyInstance, deps: BreakglassApiDeps): void {
  app.post('/breakglass', { config: { operation } }, async (request, reply) => {
    const parsed = orderSchema.safeParse(request.body)
    if (!parsed.success)
      return problem(reply, 400, 'Invalid request body', {
        detail: parsed.error.issues.map(formatIssue).join('; '),
      })
    const { agent = '', ...order } = parsed.data
    const found = await findAgent(deps.directory, agent)
    if (found === 'unknown' || found === 'disabled') {
      const detail = found === 'unknown' ? `does not know ${agent}: see agents` : `says that ${agent} is inactive`
      return problem(reply, 422, 'This agent cannot log in', { detail: `the directory ${detail}` })
    }
    const { token, link } = await deps.issuer.issue({ agent, ...order })
    const { minutes, reason, operator } = order
    const until = new Date(link.until).toISOString()
    const facts = { agent, minutes, until, operator, link: link.id, address: request.ip }
    deps.audit({ event: 'breakglass_created', why: reason, ...facts })
    deps.log.warn({ ...facts, why: reason }, 'break-glass link created')
    deps.metrics.breakglass('created')
    const warning =
      found === 'unavailable'
        ? { warning: 'the directory cannot be asked now, and must answer when the link is used' }
        : {}
    const answer: BreakglassAnswer = { url: `${deps.url()}/${token}`, agent, minutes, until, ...warning }
    return reply.header('cache-control', 'no-store').send(answer)
  })
}

/** Links can be made while the directory is down: it may be back when they are used. */
async function findAgent(directory: Directory, agent: string) {
  try {
    return await directory.find(agent)
  } catch (error) {
    if (error instanceof DirectoryUnavailable) return 'unavailable'
    throw error
  }
}

function formatIssue(issue: z.core.$ZodIssue): string {
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`
}
