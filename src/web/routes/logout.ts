// The logout routes: the page with the button, the button's POST, and the page after it.

import type { FastifyInstance } from 'fastify'
import type { PageName } from '../../config/page-templates.js'
import type { RequestContext, ResponseData } from '../context.js'
import type { BrowserSessions } from '../login/browser-sessions.js'
import type { SignOut } from '../logout/sign-out.js'
import { type Button, noticePage } from '../pages/pages.js'
import { fill, type Words } from '../pages/sentence.js'
import type { Paths } from '../request/paths.js'
import { ownPage, pageContextOf } from '../responses/page-responses.js'
import { jarOf, replyWith } from '../responses/send.js'

export interface LogoutDeps {
  paths: Paths
  browserSessions: BrowserSessions
  signOut: SignOut
}

export function logoutRoutes(app: FastifyInstance, deps: LogoutDeps): void {
  const { paths, browserSessions, signOut } = deps

  app.post(paths.logout, async (request, reply) => {
    const { context } = request
    const jar = jarOf(request)
    const session = await browserSessions.current(jar)
    if (session) await signOut.end(context, session, 'logout')
    const how = request.headers['sec-fetch-mode'] === 'navigate' ? 'navigation' : 'other'
    return replyWith(reply, signOut.afterLogout(context, session, how), signOut.clearCookies(jar))
  })

  app.get(paths.logout, async (request, reply) => {
    const session = await browserSessions.current(jarOf(request))
    const { logout, frame } = pageContextOf(request.context).texts
    const title = session ? logout.title : frame.title
    const text = session ? fill(logout.text, { email: session.agent.email }) : logout.nobody
    const out: Button = { label: logout.button, to: { post: paths.logout } }
    const back: Button = { label: logout.back, to: { get: '/' }, look: 'quiet' }
    return replyWith(reply, notice(request.context, { name: 'logout', title, text }, session ? [out, back] : [back]))
  })

  app.get(paths.loggedOut, async (request, reply) => {
    const { loggedOut } = pageContextOf(request.context).texts
    const buttons: Button[] = [
      { label: loggedOut.button, to: { get: paths.login } },
      { label: loggedOut.sessions, to: { get: paths.session }, look: 'link' },
    ]
    return replyWith(reply, notice(request.context, { ...loggedOut, name: 'logged-out' }, buttons))
  })
}

function notice(
  context: RequestContext,
  words: { name: PageName; title: string; text: Words },
  buttons: Button[],
): ResponseData {
  return ownPage(context, noticePage(pageContextOf(context), { ...words, buttons }))
}
