// A refused login: one report under a reference, one log line, one audit event, one metric, one page. Never shows what
// was checked, only which check failed.

import type { IncomingHttpHeaders } from 'node:http'
import type { Check } from '../../core/checks.js'
import { hintOf, settingOf, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import { isRehearsal, rehearsalLabel } from '../../providers/rehearsal.js'
import type { RequestContext, ResponseData } from '../context.js'
import { refusalOf } from '../pages/i18n/texts.js'
import { problemResponse } from '../pages/layout.js'
import { clientInfoOf, clientKindOf } from '../request/fetch-metadata.js'
import { requestIds, traceIdOf } from '../request/trace-context.js'
import { retryAfter } from '../responses/errors.js'
import { pageContextOf } from '../responses/page-responses.js'
import type { LoginLimit } from './login-limit.js'
import type { Refused, RefusedPages } from './refused-page.js'

export interface RefusedLogin extends Omit<Refused, 'reference'> {
  checks: Check[]
  /** Seconds until another try is worth it, if known. */
  wait?: number
  /** The IDs of this browser's attempts that it counts against. */
  attempts?: readonly string[]
}

/** Records the refusal; the response for the client that sent these headers. */
export type RefuseLogin = (context: RequestContext, headers: IncomingHttpHeaders, refused: RefusedLogin) => ResponseData

export function createRefuseLogin(deps: {
  refusedLogins: RefusedLogins
  audit: Audit
  metrics: Metrics
  log: Log
  limit?: Pick<LoginLimit, 'countRefused'> | undefined
  pages: RefusedPages
}): RefuseLogin {
  return (context, headers, refused) => {
    const { reason, provider, checks, agent } = refused
    const origin = clientInfoOf(context, headers)
    const reference = deps.refusedLogins.record({
      provider,
      ...(agent === undefined ? {} : { agent }),
      reason,
      checks,
      ...origin,
    })
    const facts = { reason, reference, ...(provider === undefined ? {} : { provider }), address: context.address }
    const advice = { hint: checks.at(-1)?.hint ?? hintOf(reason), setting: settingOf(reason) }
    deps.log.info({ ...facts, ...requestIds(context), ...advice }, 'login refused')
    const who = { ...(agent === undefined ? {} : { agent }), ...facts, browser: origin.browser }
    deps.audit({ event: 'login_refused', ...who, ...requestIds(context) })
    deps.metrics.login(isRehearsal(provider ?? '') ? rehearsalLabel : (provider ?? ''), 'refused', reason)
    deps.limit?.countRefused(context, refused)
    const response = responseFor(deps.pages, context, headers, { ...refused, reference })
    const wait = refused.wait ?? (statusOf(reason) === 503 ? retryAfter : undefined)
    if (wait !== undefined) response.headers.push('Retry-After', String(wait))
    return response
  }
}

function responseFor(
  pages: RefusedPages,
  context: RequestContext,
  headers: IncomingHttpHeaders,
  refused: RefusedLogin & { reference: string },
): ResponseData {
  const { reason, reference } = refused
  if (clientKindOf(headers) !== 'program') return pages.respond(context, refused)
  const { title, text } = pageContextOf(context).texts.refusals[refusalOf[reason]]
  return problemResponse(statusOf(reason), { title, detail: text, reason, reference, ...traceIdOf(context) })
}
