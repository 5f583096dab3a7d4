// The switch of the language: remembers it in this browser, and leads back to the page that it was on. That of a refused
// login has an address for this alone.

import type { FastifyInstance } from 'fastify'
import type { ConfigSnapshot } from '../context.js'
import type { RefusedPages } from '../login/refuse-login.js'
import { formOf, readForm } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { escapeBytes, readTarget } from '../request/target.js'
import { goTo, replyWith } from '../responses/send.js'

export function languageRoutes(app: FastifyInstance, deps: { paths: Paths; refusedPages: RefusedPages }): void {
  const { paths, refusedPages } = deps

  app.get(paths.refused, async (request, reply) => {
    const { context } = request
    const page = refusedPages.again(context, readForm(context.target.query).one('page') ?? '')
    return page ? replyWith(reply, page) : goTo(reply, paths.login)
  })

  app.post(paths.language, async (request, reply) => {
    const { snapshot } = request.context
    const form = formOf(request)
    const chosen = snapshot.languages.find(({ lang }) => lang === form.one('lang'))
    return goTo(
      reply,
      pageIn(snapshot, form.one('page')),
      chosen ? [snapshot.cookies.remember('language', chosen.lang)] : [],
    )
  })
}

/** Only to a page of the gateway. */
function pageIn({ paths, config }: ConfigSnapshot, page = ''): string {
  const target = readTarget(page, config.publicUrl)
  return target && !target.ambiguous && paths.owns(target.path) ? escapeBytes(target.raw) : paths.login
}
