// A logout by the agent, here or in Desk: ends the session, then sends the browser to the identity provider's logout or to
// our own page. Never clears the cookie of a session that could not be ended: the agent must be able to try again.

import type { Navigation } from '../../core/providers.js'
import type { Session, Sessions } from '../../core/sessions.js'
import type { Audit } from '../../ops/audit.js'
import type { ConfigSnapshot, RequestContext, ResponseData } from '../context.js'
import type { KeptForms } from '../kept/kept-forms.js'
import type { Attempts } from '../login/attempts.js'
import { leavingPage } from '../pages/pages.js'
import { fill, type Words } from '../pages/sentence.js'
import type { CookieJar, ResponseCookie } from '../request/cookies.js'
import { readCookies } from '../request/read-cookies.js'
import { requestIds } from '../request/trace-context.js'
import { leavingResponse, ownPage, pageContextOf } from '../responses/page-responses.js'

export interface SignOutDeps {
  sessions: Pick<Sessions, 'end'>
  attempts: Pick<Attempts, 'resetLoopCount'>
  audit: Audit
  keptForms?: Pick<KeptForms, 'discard'> | undefined
}

export interface SignOut {
  /** Ends the session and writes the audit event. Throws StoreUnavailable. */
  end(context: RequestContext, session: Session, why: string): Promise<void>
  /** Cookies that remove every trace of a login from this browser. */
  clearCookies(jar: CookieJar): ResponseCookie[]
  /**
   * On to the provider's logout, or our own page. `how`: a navigation gets a page that continues by itself, because browsers
   * may block the redirect; anything else gets a redirect.
   */
  afterLogout(context: RequestContext, session: Session | undefined, how: 'navigation' | 'other'): ResponseData
}

export function createSignOut({ sessions, attempts, audit, keptForms }: SignOutDeps): SignOut {
  return {
    async end(context, session, why) {
      const { handle, provider, agent } = session
      await sessions.end({ handle }, why, 'agent')
      audit({
        event: 'logout',
        agent: agent.email,
        provider,
        session: handle,
        address: context.address,
        ...requestIds(context),
      })
    },
    // Logins that finished before a logout do not count as a login loop.
    clearCookies(jar) {
      // The key goes with the cookies; without it nobody can read the form, also where this fails.
      keptForms?.discard(readCookies(jar.header).single(jar.cookies.kept)).catch(() => {})
      return [...jar.cookies.clearSession(), ...attempts.resetLoopCount(jar)]
    },
    afterLogout(context, session, how) {
      const { snapshot } = context
      const target = session && providerLogout(snapshot, session)
      if (!target) return redirect(snapshot.paths.loggedOut)
      if ('post' in target) return leavingResponse(context, logoutText(context, session), target)
      return how === 'navigation' ? refreshResponse(context, session, target.redirect) : redirect(target.redirect)
    },
  }
}

function providerLogout({ providers }: ConfigSnapshot, session: Session): Navigation | undefined {
  return providers.find(({ id }) => id === session.provider)?.logout(session)
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser continues with a GET. */
function redirect(location: string): ResponseData {
  return { status: 303, headers: ['Cache-Control', 'no-store', 'Location', location], body: '' }
}

/**
 * On to the provider by a new navigation. Browsers apply the form-action of a page to every redirect after its form
 * (CSP 3, 6.4.1): a provider that redirects to another host, or a form in Desk, would be blocked.
 */
function refreshResponse(context: RequestContext, session: Session, url: string): ResponseData {
  const { href } = new URL(url)
  const response = ownPage(context, leavingPage(pageContextOf(context), logoutText(context, session), { get: href }))
  response.headers.push('Refresh', `0;url=${href}`)
  return response
}

function logoutText(context: RequestContext, session: Session): Words {
  const name = context.snapshot.providers.find(({ id }) => id === session.provider)?.name ?? session.provider
  return fill(pageContextOf(context).texts.leaving.logout, { name })
}
