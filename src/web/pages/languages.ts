// The languages of the pages: those that are built in, with a company's own sentences, and others that it adds.

import { parseOwnTexts } from '../../config/page-texts.js'
import type { Config } from '../../config/schema/index.js'
import type { ConfigSnapshot } from '../context.js'
import { ar } from './i18n/ar.js'
import { de } from './i18n/de.js'
import { en } from './i18n/en.js'
import { es } from './i18n/es.js'
import { fr } from './i18n/fr.js'
import type { Texts } from './i18n/texts.js'

type Languages = ConfigSnapshot['languages']

/** Another language is one file in i18n/ and its place here. */
const builtIn: Languages = [en, de, fr, es, ar]

/** Those of pages.languages, in that order; all when it is empty. Throws for texts that `check` refuses. */
export function languagesOf({ languages: wanted, texts }: Pick<Config['pages'], 'languages' | 'texts'>): Languages {
  const all = new Map<string, Texts>(builtIn.map(one => [one.lang, one]))
  for (const file of texts?.files ?? []) {
    const own = parseOwnTexts(file)
    if ('problems' in own) throw new Error(`${file.path}: ${own.problems[0]?.message}`)
    const { lang } = own
    all.set(lang, { ...(merged(all.get(lang) ?? en, own.texts) as Texts), lang })
  }
  const [first = builtIn[0], ...others] =
    wanted.length === 0 ? all.values() : wanted.flatMap(lang => all.get(lang) ?? [])
  return [first, ...others]
}

function merged(base: object, own: object): object {
  const inner = (value: unknown, other: unknown) =>
    typeof value === 'object' && value !== null ? merged(value, (other ?? {}) as object) : (other ?? value)
  return Object.fromEntries(
    Object.entries(base).map(([key, value]) => [key, inner(value, (own as Record<string, unknown>)[key])]),
  )
}
