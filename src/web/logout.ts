// The end of a session: here first, then at the identity provider. Never clears the cookie of a session that could not be
// ended: the agent must be able to try again.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Leave, Session, Sessions } from '../core/contracts.js'
import type { Audit } from '../ops/audit.js'
import { formTargetsOf, leavingAnswer, placeOf } from './answers.js'
import type { Attempts } from './attempts.js'
import type { Holder } from './holder.js'
import { contentPolicy, pageAnswer } from './layout.js'
import { type Button, noticePage, onwardPage } from './pages.js'
import type { Paths } from './paths.js'
import { goTo, jarOf, replyWith } from './reply.js'
import type { TroubleText } from './texts/en.js'
import type { Answer, Generation, Visit } from './visit.js'

export interface LogoutDeps {
  paths: Paths
  sessions: Pick<Sessions, 'end'>
  holder: Holder
  attempts: Attempts
  audit: Audit
}

export function logoutRoutes(app: FastifyInstance, deps: LogoutDeps): void {
  const { paths, holder, sessions, attempts } = deps

  app.post(paths.logout, async (request, reply) => {
    const { visit } = request
    const jar = jarOf(request)
    const session = await holder.current(jar)
    if (session) {
      await sessions.end({ handle: session.handle }, 'logout', 'agent')
      record(deps, request, session)
    }
    // What was finished before a logout is no sign of a browser that loses its cookie.
    const setCookies = [...jar.cookies.forget(), ...attempts.uncount(jar)]
    const leave = session && leaveFor(visit, session)
    if (!leave) return goTo(reply, paths.loggedOut, setCookies)
    if ('post' in leave) {
      const text = goodbye(visit.generation, session)
      return replyWith(reply, leavingAnswer(visit.generation, text, leave), setCookies)
    }
    if (request.headers['sec-fetch-mode'] !== 'navigate') return goTo(reply, leave.redirect, setCookies)
    return replyWith(reply, onward(visit, session, leave.redirect), setCookies)
  })

  app.get(paths.logout, async (request, reply) => {
    const session = await holder.current(jarOf(request))
    const { logout } = placeOf(request.visit.generation).texts
    const text = session ? logout.text(session.agent.email) : logout.nobody
    const out: Button = { label: logout.button, to: { post: paths.logout } }
    const back: Button = { label: logout.back, to: { get: '/' }, look: 'quiet' }
    return replyWith(reply, notice(request.visit, { title: logout.title, text }, session ? [out, back] : [back]))
  })

  app.get(paths.loggedOut, async (request, reply) => {
    const words = placeOf(request.visit.generation).texts.loggedOut
    return replyWith(reply, notice(request.visit, words, [{ label: words.button, to: { get: paths.login } }]))
  })
}

function leaveFor({ generation }: Visit, session: Session): Leave | undefined {
  return generation.providers.find(({ id }) => id === session.provider)?.logout(session)
}

function record(deps: LogoutDeps, { visit }: FastifyRequest, session: Session): void {
  const { handle, provider, agent } = session
  deps.audit({
    event: 'logout',
    agent: agent.email,
    provider,
    session: handle,
    address: visit.address,
    request: visit.id,
  })
}

/**
 * On to the provider by a navigation of its own. Browsers hold every redirect after a form to the form-action of the page
 * that the form was on (CSP 3, 6.4.1): a provider that redirects to a host of its own, or a form in Desk, would end in
 * nothing at all.
 */
function onward({ generation }: Visit, session: Session, url: string): Answer {
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

function notice({ generation }: Visit, words: TroubleText, buttons: Button[]): Answer {
  const body = noticePage(placeOf(generation), { ...words, buttons })
  return pageAnswer(200, body, contentPolicy(formTargetsOf(generation)))
}
