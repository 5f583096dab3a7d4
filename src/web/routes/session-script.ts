// What Desk's pages need to warn of the end of a session: the script, and the page that a login in a small window ends on. The
// script is the sources in pages/browser/ and the texts of the dialog. The same for everyone who reads the same language: it
// holds nothing of a session.

import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { BrowserSessions } from '../login/browser-sessions.js'
import type { Texts } from '../pages/i18n/texts.js'
import { popupPage } from '../pages/pages.js'
import type { Paths } from '../request/paths.js'
import { contentPolicy, pageContextOf, pageResponse } from '../responses/page-responses.js'
import { jarOf, replyWith } from '../responses/send.js'

const sourceOf = (name: string) => readFileSync(new URL(`../pages/browser/${name}`, import.meta.url), 'utf8')

/** The dialog alone, for the preview of the pages. */
export const dialogSource: string = sourceOf('dialog.js')

const source = `${dialogSource}\n${sourceOf('session.js')}`

export function sessionScriptRoutes(
  app: FastifyInstance,
  { paths, browserSessions }: { paths: Paths; browserSessions: BrowserSessions },
): void {
  /** Made once for each language. */
  const made = new WeakMap<Texts, SessionScript>()

  app.get(paths.sessionScript, async (request, reply) => {
    const { texts } = pageContextOf(request.context)
    const script = made.get(texts) ?? render(paths, texts)
    made.set(texts, script)
    const { body, etag } = script
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

interface SessionScript {
  body: string
  /** A strong ETag (RFC 9110 8.8.3). */
  etag: string
}

function render({ session, sessionTouch, login }: Paths, { lang, dir, warning }: Texts): SessionScript {
  const texts = { ...warning, lang, dir }
  const setup = JSON.stringify({ session, touch: sessionTouch, login, texts }, null, 1)
  // A page that has the tag twice runs it once.
  const body = `(setup => {
'use strict'
if (Object.hasOwn(window, 'deskgate')) return
${source}
})(${setup})
`
  return { body, etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"` }
}
