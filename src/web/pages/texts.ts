// Chooses the language of a request: the one that the agent has chosen, else the one that the browser prefers.

import { parseOwnTexts } from '../../config/page-texts.js'
import type { Config } from '../../config/schema/index.js'
import type { ConfigSnapshot, RequestContext } from '../context.js'
import { readCookies } from '../request/read-cookies.js'
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

/** The texts for the pages and problems that this request is answered with. */
export function textsFor(context: Asked): Texts {
  const { languages } = context.snapshot
  if (languages.length === 1 || !context.request) return languages[0]
  const { 'accept-language': accepted = '' } = context.request.headers
  return chosenLanguage(context) ?? preferredOf(languages, accepted)
}

type Asked = Pick<RequestContext, 'request' | 'snapshot' | 'language'>

/** What the agent has chosen with the switch. */
export function chosenLanguage({ request, snapshot, language }: Asked): Texts | undefined {
  const { languages, cookies } = snapshot
  const chosen = readCookies(request?.headers.cookie).single(cookies.language) ?? language
  return languages.find(({ lang }) => lang === chosen)
}

function preferredOf(languages: Languages, accepted: string): Texts {
  for (const wanted of preferred(accepted)) {
    const of = (tag: string) => languages.find(({ lang }) => lang.toLowerCase() === tag)
    const found = of(wanted) ?? of(wanted.split('-', 1)[0] ?? '')
    if (found) return found
  }
  return languages[0]
}

/** The longest Accept-Language that is read, in characters: browsers send far less. */
const longest = 500

/** Language tags in lower case, the most wanted first (RFC 9110 12.5.4). `*` is left out: it is served by the first language. */
function preferred(header: string): string[] {
  const wanted = header
    .slice(0, longest)
    .split(',')
    .flatMap(part => {
      const [tag = '', ...parameters] = part.split(';').map(text => text.trim().toLowerCase())
      const weight = parameters.find(text => text.startsWith('q='))
      const quality = weight === undefined ? 1 : Number(weight.slice(2))
      return tag !== '' && tag !== '*' && quality > 0 ? [{ tag, quality }] : []
    })
  return wanted.sort((a, b) => b.quality - a.quality).map(({ tag }) => tag)
}
