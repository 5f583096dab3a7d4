// session.js, which Desk's pages load: the sources in browser/, and the texts of the dialog. The same for everyone who reads
// the same language: it holds nothing of a session.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Paths } from '../request/paths.js'
import type { Texts } from './i18n/texts.js'

export interface SessionScript {
  body: string
  /** A strong ETag (RFC 9110 8.8.3). */
  etag: string
}

const sourceOf = (name: string) => readFileSync(new URL(`./browser/${name}`, import.meta.url), 'utf8')

/** The dialog alone, for the preview of the pages. */
export const dialogSource: string = sourceOf('dialog.js')

const source = `${dialogSource}\n${sourceOf('session.js')}`

/** Made once for each language. */
export function createSessionScript(paths: Paths): (texts: Texts) => SessionScript {
  const made = new WeakMap<Texts, SessionScript>()
  return texts => {
    const script = made.get(texts) ?? render(paths, texts)
    made.set(texts, script)
    return script
  }
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
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}
