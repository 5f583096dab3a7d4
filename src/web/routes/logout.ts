// The routes of a logout: the button's page, what the button does, and the page at the end.

import type { FastifyInstance } from 'fastify'
import type { Answer, Visit } from '../context.js'
import type { Holder } from '../login/browser-sessions.js'
import type { SignOut } from '../logout/sign-out.js'
import type { TroubleText } from '../pages/i18n/en.js'
import { contentPolicy, pageAnswer } from '../pages/layout.js'
import { type Button, noticePage } from '../pages/pages.js'
import type { Paths } from '../request/paths.js'
import { formTargetsOf, placeOf } from '../responses/errors.js'
import { jarOf, replyWith } from '../responses/fastify-reply.js'

export interface LogoutDeps {
  paths: Paths
  holder: Holder
  signOut: SignOut
}

export function logoutRoutes(app: FastifyInstance, deps: LogoutDeps): void {
  const { paths, holder, signOut } = deps

  app.post(paths.logout, async (request, reply) => {
    const { visit } = request
    const jar = jarOf(request)
    const session = await holder.current(jar)
    if (session) await signOut.end(visit, session, 'logout')
    const how = request.headers['sec-fetch-mode'] === 'navigate' ? 'navigation' : 'other'
    return replyWith(reply, signOut.onward(visit, session, how), signOut.forget(jar))
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

function notice({ generation }: Visit, words: TroubleText, buttons: Button[]): Answer {
  const body = noticePage(placeOf(generation), { ...words, buttons })
  return pageAnswer(200, body, contentPolicy(formTargetsOf(generation)))
}
