import t from 'tap'
import { en, type Texts } from '../../../src/web/pages/i18n/en.js'
import { createTextsFor, textsFor } from '../../../src/web/pages/texts.js'

const textsOf = (lang: string): Texts => ({ ...en, lang })
const all = [en, textsOf('de'), textsOf('pt-br'), textsOf('pt')] as const

t.test('a language is chosen by what the request prefers', async t => {
  const choose = createTextsFor(all)
  const langFor = (header: string | undefined) =>
    choose(header === undefined ? {} : { request: { headers: { 'accept-language': header } } }).lang
  const cases: [string | undefined, string][] = [
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['DE-at', 'de'],
    ['fr, de;q=0.5', 'de'],
    ['de;q=0.4, en;q=0.9', 'en'],
    ['pt-PT', 'pt'],
    ['pt-BR, pt;q=0.9', 'pt-br'],
    ['de;q=0, pt', 'pt'],
    ['*', 'en'],
    ['nonsense;q=x, ;;,,', 'en'],
    [`${'x,'.repeat(100_000)}de`, 'en'],
  ]
  for (const [header, lang] of cases) t.equal(langFor(header), lang, header?.slice(0, 40) ?? 'none')
})

t.test('with one language the headers are not even read', async t => {
  const request = {
    get headers(): never {
      throw new Error('read')
    },
  }
  t.equal(textsFor({ request }), en)
})
