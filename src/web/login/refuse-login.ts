// A refused login: one report under a reference, one log line, one audit event, one metric, one page. Never shows what
// was checked, only which check failed.

import type { IncomingHttpHeaders } from 'node:http'
import type { Check } from '../../core/checks.js'
import { hintOf, type Reason, settingOf, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import type { RequestContext, ResponseData } from '../context.js'
import { fragmentField } from '../pages/fragment.js'
import { refusalOf } from '../pages/i18n/texts.js'
import { pageResponse, problemResponse } from '../pages/layout.js'
import { type Button, refusedPage } from '../pages/pages.js'
import { fill } from '../pages/sentence.js'
import { clientKindOf } from '../request/fetch-metadata.js'
import { splitFragment } from '../request/return-to.js'
import { requestIds, traceIdOf } from '../request/trace-context.js'
import { browserName } from '../request/user-agent.js'
import { retryAfter } from '../responses/errors.js'
import { loginHref, otherAccount } from '../responses/login-links.js'
import { loginFormPolicy, pageContextOf } from '../responses/page-responses.js'
import type { LoginLimit } from './login-limit.js'

export interface RefusedLogin {
  reason: Reason
  /** The ID of a configured provider; undefined when none was found. */
  provider: string | undefined
  checks: Check[]
  /** The agent that the provider vouched for, if any. */
  agent?: string | undefined
  /** A checked return_to: a new login goes there. */
  returnTo: string
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
}): RefuseLogin {
  return (context, headers, refused) => {
    const { reason, provider, checks, agent } = refused
    const origin = { address: context.address, browser: browserName(headers['user-agent']) }
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
    deps.metrics.login(provider ?? '', 'refused', reason)
    deps.limit?.countRefused(context, refused)
    return refusedResponse(context, headers, refused, reference)
  }
}

function refusedResponse(
  context: RequestContext,
  headers: IncomingHttpHeaders,
  refused: RefusedLogin,
  reference: string,
): ResponseData {
  const { reason } = refused
  const status = statusOf(reason)
  const page = pageContextOf(context)
  const { title, text } = page.texts.refusals[refusalOf[reason]]
  const response =
    clientKindOf(headers) === 'program'
      ? problemResponse(status, { title, detail: text, reason, reference, ...traceIdOf(context) })
      : pageResponse(
          status,
          refusedPage(page, {
            reason,
            reference,
            ...nextButtons(context, refused, reference),
            email: vouchedFor(context, refused),
          }),
          loginFormPolicy(context.snapshot),
        )
  const wait = refused.wait ?? (status === 503 ? retryAfter : undefined)
  if (wait !== undefined) response.headers.push('Retry-After', String(wait))
  return response
}

/** The button that helps, where it is not a new login at the same provider. */
const nextSteps: Partial<Record<Reason, 'other' | 'account' | 'logout'>> = {
  'saml.email_missing': 'account',
  'saml.email_invalid': 'account',
  'agent.unknown': 'account',
  'agent.disabled': 'account',
  'agent.forbidden': 'account',
  'login.link_used': 'other',
  'login.link_expired': 'other',
  'login.other_session': 'logout',
  'login.step_up_other_agent': 'logout',
}

/** The address that a provider has vouched for: a one-time link says who is meant, not who came. */
function vouchedFor({ snapshot }: RequestContext, { agent, provider }: RefusedLogin): string | undefined {
  return snapshot.providers.some(({ id }) => id === provider) ? agent : undefined
}

function nextButtons(context: RequestContext, refused: RefusedLogin, reference: string) {
  const { reason, provider } = refused
  const { paths, providers, deskLogin } = context.snapshot
  const { buttons } = pageContextOf(context).texts
  const next = nextSteps[reason] ?? 'again'
  const more = [...providerErrorButtons(context, refused, reference), ...closeButtons(context, refused)]
  if (next === 'logout') return { button: { label: buttons.logout, to: { post: paths.logout } }, more }
  // A one-time link is not a provider to start again with.
  const again = providers.some(({ id }) => id === provider) || provider === deskLogin?.provider.id
  const link = (label: string, way: 'chooser' | 'provider', fields = {}): Button => ({
    label,
    to: loginTarget(context, refused, way, fields),
  })
  if (next === 'again') return { button: link(buttons.again, again ? 'provider' : 'chooser'), more }
  // Never straight back: a provider that remembers the agent would answer the same again.
  const chooser = link(buttons.other, 'chooser', next === 'account' ? otherAccount : {})
  if (next === 'other' || !again) return { button: chooser, more }
  const account = link(buttons.otherAccount, 'provider', otherAccount)
  return { button: account, more: [{ ...chooser, look: 'quiet' as const }, ...more] }
}

/** To a new login for the same page. The fragment stays out of the address that a server sees. */
function loginTarget(
  { snapshot: { paths, config } }: RequestContext,
  { provider, returnTo }: RefusedLogin,
  way: 'chooser' | 'provider',
  fields: Record<string, string>,
): Button['to'] {
  const login = way === 'chooser' ? paths.login : `${paths.login}/${provider}`
  const { page, hash } = splitFragment(returnTo)
  if (hash === '' || !config.login.keepFragment) return { get: loginHref(paths, returnTo, fields, login) }
  const href = loginHref(paths, page, fields, login)
  return way === 'chooser' ? { get: href + hash } : { post: href, fields: { [fragmentField]: hash } }
}

/** In a small window: the page that it leads to closes it. */
function closeButtons(context: RequestContext, { returnTo }: RefusedLogin): Button[] {
  const { popup } = context.snapshot.paths
  const { close } = pageContextOf(context).texts.popup
  return returnTo === popup ? [{ label: close, to: { get: popup }, look: 'quiet' }] : []
}

/**
 * Back to the provider with `kind=error` and `message`, as Desk and Zendesk do. By a button: an automatic redirect would
 * hide the reference, and loop with a provider that answers with a login.
 */
function providerErrorButtons(
  context: RequestContext,
  { provider, reason }: RefusedLogin,
  reference: string,
): Button[] {
  const { texts } = pageContextOf(context)
  const known = context.snapshot.providers.find(({ id }) => id === provider)
  const { title, text } = texts.refusals[refusalOf[reason]]
  const href = known?.failureUrl?.(`${title}. ${text} ${texts.reference} ${reference}`)
  return known && href
    ? [{ label: fill(texts.buttons.tell, { name: known.name }), to: { get: href }, look: 'quiet' }]
    : []
}
