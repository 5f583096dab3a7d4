// The switch of the language: remembers it in this browser, and leads back to the page that it was on.

import type { FastifyInstance } from 'fastify'
import type { ConfigSnapshot } from '../context.js'
import { formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { escapeBytes, readTarget } from '../request/target.js'
import { goTo } from '../responses/send.js'

export function languageRoutes(app: FastifyInstance, { paths }: { paths: Paths }): void {
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
