// A refused login: one report under a reference, one log line, one audit event, one metric, and a page with what leads on.
// Never shows what was checked, only which check failed. Most refusals answer a form, which cannot be asked for again: the
// page's switch of the language leads to an address that holds the page sealed, for a while.

import type { IncomingHttpHeaders } from 'node:http'
import type { Check } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { hintOf, type Reason, settingOf, statusOf } from '../../core/reasons.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import { isRehearsal, rehearsalLabel } from '../../providers/rehearsal.js'
import type { RequestContext, ResponseData } from '../context.js'
import { refusalOf } from '../pages/i18n/texts.js'
import { fragmentField } from '../pages/layout.js'
import { type Button, refusedPage } from '../pages/pages.js'
import { fill } from '../pages/sentence.js'
import { clientInfoOf, clientKindOf } from '../request/fetch-metadata.js'
import { loginHref, otherAccount, splitFragment } from '../request/return-to.js'
import { requestIds, traceIdOf } from '../request/trace-context.js'
import { retryAfter } from '../responses/errors.js'
import { loginFormPolicy, pageContextOf, pageResponse, problemResponse, switchAt } from '../responses/page-responses.js'
import { attemptLifetime, type Sealer } from './attempts.js'
import type { LoginLimit } from './login-limit.js'

/** What the page shows. */
export interface Refused {
  reason: Reason
  /** The ID of a configured provider; undefined when none was found. */
  provider: string | undefined
  /** The agent that the provider vouched for, if any. */
  agent?: string | undefined
  /** The agent who is logged in here, where that is why. */
  here?: string | undefined
  /** A checked return_to: a new login goes there. */
  returnTo: string
  reference: string
}

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
  limit: Pick<LoginLimit, 'countRefused'>
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
    deps.limit.countRefused(context, refused)
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

export interface RefusedPages {
  respond(context: RequestContext, refused: Refused, at?: number): ResponseData
  /** The page of a sealed address; undefined when it is none of ours, or too old. */
  again(context: RequestContext, sealed: string): ResponseData | undefined
}

const purpose = 'refused login page'
/** Characters. */
const longestSealed = 2000

export function createRefusedPages({ keyring, clock }: { keyring: Sealer; clock: Clock }): RefusedPages {
  const respond: RefusedPages['respond'] = (
    context,
    { reason, provider, agent, here, returnTo, reference },
    at = clock.now(),
  ) => {
    const refused: Refused = { reason, provider, agent, here, returnTo, reference }
    const plain = Buffer.from(JSON.stringify({ ...refused, at }))
    const { snapshot } = context
    const sealed = keyring.seal(purpose, plain, snapshot.config.publicUrl)
    // Proxies in front have buffers of 4 kB for the header of a redirect.
    const fits = sealed.length <= longestSealed
    const languageSwitch = fits ? switchAt(snapshot, `${snapshot.paths.refused}?page=${sealed}`) : undefined
    const page = { ...pageContextOf(context), languageSwitch }
    const email = vouchedFor(context, refused)
    const shown = { reason, reference, ...nextButtons(context, refused), email, here }
    return pageResponse(statusOf(reason), refusedPage(page, shown), loginFormPolicy(snapshot))
  }
  return {
    respond,
    again(context, sealed) {
      const plain = keyring.open(purpose, sealed, context.snapshot.config.publicUrl)
      if (!plain) return undefined
      const { at, ...refused } = JSON.parse(plain.toString()) as Refused & { at: number }
      return clock.now() - at < attemptLifetime ? respond(context, refused, at) : undefined
    },
  }
}

/** The button that helps, where it is not one more try at the same provider. */
export const nextSteps: Partial<Record<Reason, 'login' | 'usual' | 'other' | 'account' | 'logout'>> = {
  'saml.unsolicited': 'login',
  'saml.email_missing': 'account',
  'saml.email_invalid': 'account',
  'agent.unknown': 'account',
  'agent.disabled': 'account',
  'agent.forbidden': 'other',
  'login.link_used': 'usual',
  'login.link_expired': 'usual',
  'login.other_session': 'logout',
  'login.step_up_other_agent': 'logout',
}

/** The address that a provider has vouched for: a one-time link says who is meant, not who came. */
function vouchedFor({ snapshot }: RequestContext, { agent, provider }: Refused): string | undefined {
  return snapshot.providers.some(({ id }) => id === provider) ? agent : undefined
}

function nextButtons(context: RequestContext, refused: Refused) {
  const { reason, provider, here } = refused
  const { paths, providers, deskLogin } = context.snapshot
  const { buttons } = pageContextOf(context).texts
  const next = nextSteps[reason] ?? 'again'
  const more = [...providerErrorButtons(context, refused), ...closeButtons(context, refused)]
  if (next === 'logout') {
    const logout: Button = { label: buttons.logout, to: { post: paths.logout } }
    if (here === undefined) return { button: logout, more }
    const stay: Button = { label: fill(buttons.stay, { email: here }), to: { get: '/' } }
    return { button: stay, more: [{ ...logout, look: 'quiet' as const }, ...more] }
  }
  // A one-time link is not a provider to start again with.
  const again = providers.some(({ id }) => id === provider) || provider === deskLogin?.provider.id
  const link = (label: string, way: 'chooser' | 'provider', fields = {}): Button => ({
    label,
    to: loginTarget(context, refused, way, fields),
  })
  if (next === 'usual') return { button: link(buttons.login, 'chooser'), more }
  if (next === 'again' || next === 'login') {
    const button = link(next === 'login' ? buttons.login : buttons.retry, again ? 'provider' : 'chooser')
    // Only the administrator can help.
    return { button: refusalOf[reason] === 'setUpWrong' ? { ...button, look: 'quiet' as const } : button, more }
  }
  // Never straight back: a provider that remembers the agent would answer the same again.
  const chooser = link(buttons.other, 'chooser', otherAccount)
  if (!again) return { button: chooser, more }
  const account = link(buttons.otherAccount, 'provider', otherAccount)
  const [button, second] = next === 'other' ? [chooser, account] : [account, chooser]
  return { button, more: [{ ...second, look: 'quiet' as const }, ...more] }
}

/** To a new login for the same page. The fragment stays out of the address that a server sees. */
function loginTarget(
  { snapshot: { paths, config } }: RequestContext,
  { provider, returnTo }: Refused,
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
function closeButtons(context: RequestContext, { returnTo }: Refused): Button[] {
  const { popup } = context.snapshot.paths
  const { close } = pageContextOf(context).texts.popup
  return returnTo === popup ? [{ label: close, to: { get: popup }, look: 'quiet' }] : []
}

/**
 * Back to the provider with `kind=error` and `message`, as Desk and Zendesk do. By a button: an automatic redirect would
 * hide the reference, and loop with a provider that answers with a login.
 */
function providerErrorButtons(context: RequestContext, { provider, reason, reference }: Refused): Button[] {
  const { texts } = pageContextOf(context)
  const known = context.snapshot.providers.find(({ id }) => id === provider)
  const { title, text } = texts.refusals[refusalOf[reason]]
  const href = known?.failureUrl?.(`${title}. ${text} ${texts.reference} ${reference}`)
  return known && href
    ? [{ label: fill(texts.buttons.tell, { name: known.name }), to: { get: href }, look: 'quiet' }]
    : []
}
