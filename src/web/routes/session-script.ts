// What Desk's pages need to warn of the end of a session: the script, and the page that a login in a small window ends on.

import type { FastifyInstance } from 'fastify'
import type { BrowserSessions } from '../login/browser-sessions.js'
import { contentPolicy, pageResponse } from '../pages/layout.js'
import { popupPage } from '../pages/pages.js'
import { createSessionScript } from '../pages/session-script.js'
import type { Paths } from '../request/paths.js'
import { pageContextOf } from '../responses/page-responses.js'
import { jarOf, replyWith } from '../responses/send.js'

export function sessionScriptRoutes(
  app: FastifyInstance,
  { paths, browserSessions }: { paths: Paths; browserSessions: BrowserSessions },
): void {
  const scriptFor = createSessionScript(paths)

  app.get(paths.sessionScript, async (request, reply) => {
    const { body, etag } = scriptFor(pageContextOf(request.context).texts)
    // Kept by browsers, and asked for each time: a new release, or another language, counts at once.
    reply.header('cache-control', 'no-cache').header('etag', etag).header('vary', 'Accept-Language, Cookie')
    const known = request.headers['if-none-match']?.split(',').some(one => one.trim().replace(/^W\//, '') === etag)
    if (known) return reply.code(304).send()
    return reply.type('text/javascript; charset=utf-8').send(body)
  })

  /** Attack: the window of another site. It closes whether somebody is logged in or not. */
  app.get(paths.popup, async (request, reply) => {
    const page = pageContextOf(request.context)
    const session = await browserSessions.current(jarOf(request))
    const words = session ? page.texts.popup.done : page.texts.popup.none
    return replyWith(reply, pageResponse(200, popupPage(page, words), contentPolicy([])))
  })
}
