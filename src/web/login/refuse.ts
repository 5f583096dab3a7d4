// A refused login, told once to everybody who has to know: a dossier under a reference, one log line, one audit event,
// one metric, one page. Never tells anybody what was checked, only which check failed.

import type { IncomingHttpHeaders } from 'node:http'
import type { Check } from '../../core/checks.js'
import { hintOf, type Reason, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { Dossiers } from '../../ops/refused-logins.js'
import type { Answer, Visit } from '../context.js'
import { contentPolicy, pageAnswer, problemAnswer } from '../pages/layout.js'
import { type Button, refusedPage } from '../pages/pages.js'
import { askerOf } from '../request/fetch-metadata.js'
import { browserName } from '../request/user-agent.js'
import { formTargetsOf, loginHref, placeOf, retryAfter } from '../responses/errors.js'
import type { LoginLimit } from './login-limit.js'

export interface RefusedLogin {
  reason: Reason
  /** The ID of a configured provider; undefined when none was found. */
  provider: string | undefined
  checks: Check[]
  /** Whom the provider vouched for; undefined when it did for nobody. */
  agent?: string | undefined
  /** Where the login was going to, judged: where starting again goes to. */
  returnTo: string
  /** Seconds after which it is worth trying again, where that is known. */
  wait?: number
}

export interface Refusals {
  /** Records the refusal and says it to whoever asks with these headers. */
  refuse(visit: Visit, headers: IncomingHttpHeaders, refused: RefusedLogin): Answer
}

export function createRefusals(deps: {
  dossiers: Dossiers
  audit: Audit
  metrics: Metrics
  log: Log
  /** Counts what is refused. */
  limit?: Pick<LoginLimit, 'refused'> | undefined
}): Refusals {
  return {
    refuse(visit, headers, refused) {
      const { reason, provider, checks, agent } = refused
      const origin = { address: visit.address, browser: browserName(headers['user-agent']) }
      const reference = deps.dossiers.keep({ provider, reason, checks, ...origin })
      const facts = { reason, reference, ...(provider === undefined ? {} : { provider }), address: visit.address }
      deps.log.info({ ...facts, request: visit.id, hint: hintOf(reason) }, 'login refused')
      const who = { ...(agent === undefined ? {} : { agent }), ...facts, browser: origin.browser }
      deps.audit({ event: 'login_refused', ...who, request: visit.id })
      deps.metrics.login(provider ?? '', 'refused', reason)
      deps.limit?.refused(visit, headers, reason)
      return answerOf(visit, headers, refused, reference)
    },
  }
}

function answerOf(visit: Visit, headers: IncomingHttpHeaders, refused: RefusedLogin, reference: string): Answer {
  const { reason } = refused
  const status = statusOf(reason)
  const place = placeOf(visit.generation)
  const { title, text } = place.texts.refusals[reason]
  const answer =
    askerOf(headers) === 'program'
      ? problemAnswer(status, { title, detail: text, reason, reference })
      : pageAnswer(
          status,
          refusedPage(place, {
            reason,
            reference,
            button: buttonOf(visit, refused),
            more: toldOf(visit, refused, reference),
          }),
          contentPolicy(formTargetsOf(visit.generation)),
        )
  const wait = refused.wait ?? (status === 503 ? retryAfter : undefined)
  if (wait !== undefined) answer.headers.push('Retry-After', String(wait))
  return answer
}

function buttonOf(visit: Visit, { reason, provider, returnTo }: RefusedLogin): Button {
  const { paths, providers, deskLogin } = visit.generation
  const { refusals, buttons } = placeOf(visit.generation).texts
  const { next } = refusals[reason]
  if (next === 'logout') return { label: buttons.logout, to: { post: paths.logout } }
  // A one-time link is no provider to start again with.
  const again = providers.some(({ id }) => id === provider) || provider === deskLogin?.way.id
  const login = next === 'other' || provider === undefined || !again ? paths.login : `${paths.login}/${provider}`
  return { label: buttons[next], to: { get: loginHref(login, returnTo) } }
}

/**
 * Back to the provider, which is told by `kind=error` and `message`, as Desk and Zendesk do. By a button: a page that went
 * there by itself would hide the reference, and with a provider that answers with a login it would go round in a circle.
 */
function toldOf({ generation }: Visit, { provider, reason }: RefusedLogin, reference: string): Button[] {
  const { texts } = placeOf(generation)
  const known = generation.providers.find(({ id }) => id === provider)
  const { title, text } = texts.refusals[reason]
  const href = known?.failed?.(`${title}. ${text} ${texts.reference} ${reference}`)
  return known && href ? [{ label: texts.buttons.tell(known.name), to: { get: href }, look: 'quiet' }] : []
}
