// The end of a session that an agent has asked for, here or in Desk: here first, then where the browser goes on to, the
// identity provider or our own page. Never clears the cookie of a session that could not be ended: the agent must be able
// to try again.

import type { Leave, Session, Sessions } from '../../core/contracts.js'
import type { Audit } from '../../ops/audit.js'
import type { Answer, Generation, Visit } from '../context.js'
import type { Attempts } from '../login/attempts.js'
import { contentPolicy, pageAnswer } from '../pages/layout.js'
import { onwardPage } from '../pages/pages.js'
import type { Jar } from '../request/cookies.js'
import { formTargetsOf, leavingAnswer, placeOf } from '../responses/errors.js'

export interface SignOutDeps {
  sessions: Pick<Sessions, 'end'>
  attempts: Pick<Attempts, 'uncount'>
  audit: Audit
}

export interface SignOut {
  /** Ends the session, and writes it down. Throws StoreUnavailable. */
  end(visit: Visit, session: Session, why: string): Promise<void>
  /** Set-Cookie values after which this browser holds nothing of a login. */
  forget(jar: Jar): string[]
  /**
   * Where the browser goes on to: the provider's logout, or our own page. `how`: a navigation gets a page that leads on
   * where a redirect could be held back; anything else a redirect.
   */
  onward(visit: Visit, session: Session | undefined, how: 'navigation' | 'other'): Answer
}

export function createSignOut({ sessions, attempts, audit }: SignOutDeps): SignOut {
  return {
    async end({ address, id }, session, why) {
      const { handle, provider, agent } = session
      await sessions.end({ handle }, why, 'agent')
      audit({ event: 'logout', agent: agent.email, provider, session: handle, address, request: id })
    },
    // What was finished before a logout is no sign of a browser that loses its cookie.
    forget: jar => [...jar.cookies.forget(), ...attempts.uncount(jar)],
    onward({ generation }, session, how) {
      const leave = session && leaveFor(generation, session)
      if (!leave) return redirect(generation.paths.loggedOut)
      if ('post' in leave) return leavingAnswer(generation, goodbye(generation, session), leave)
      return how === 'navigation' ? pageTo(generation, session, leave.redirect) : redirect(leave.redirect)
    },
  }
}

function leaveFor({ providers }: Generation, session: Session): Leave | undefined {
  return providers.find(({ id }) => id === session.provider)?.logout(session)
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser goes on with a GET. */
function redirect(location: string): Answer {
  return { status: 303, headers: ['Cache-Control', 'no-store', 'Location', location], body: '' }
}

/**
 * On to the provider by a navigation of its own. Browsers hold every redirect after a form to the form-action of the page
 * that the form was on (CSP 3, 6.4.1): a provider that redirects to a host of its own, or a form in Desk, would end in
 * nothing at all.
 */
function pageTo(generation: Generation, session: Session, url: string): Answer {
  const { href } = new URL(url)
  const body = onwardPage(placeOf(generation), goodbye(generation, session), href)
  const answer = pageAnswer(200, body, contentPolicy(formTargetsOf(generation)))
  answer.headers.push('Refresh', `0;url=${href}`)
  return answer
}

function goodbye(generation: Generation, session: Session): string {
  const name = generation.providers.find(({ id }) => id === session.provider)?.name ?? session.provider
  return placeOf(generation).texts.leaving.logout(name)
}
