// Chooses the texts of a request. Another language is one file in i18n/ and one line here.

import type { RequestContext } from '../context.js'
import { en, type Texts } from './i18n/en.js'

/** The first is for everybody whose languages are not among them. */
const languages = [en] as const satisfies readonly Texts[]

/** The texts for the pages and problems that this request is answered with. */
export const textsFor = createTextsFor(languages)

/** `languages`: at least one. */
export function createTextsFor(
  languages: readonly [Texts, ...Texts[]],
): (context: Pick<RequestContext, 'request'>) => Texts {
  const [first] = languages
  return ({ request }) => {
    if (languages.length === 1) return first
    for (const wanted of preferred(request?.headers['accept-language'] ?? '')) {
      const found = languages.find(({ lang }) => lang === wanted || lang === wanted.split('-')[0])
      if (found) return found
    }
    return first
  }
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
