import t from 'tap'
import { isLanguageTag, parseOwnTexts } from '../../src/config/page-texts.js'
import { load, settings } from '../parts/configuration.js'

const linesOf = (text: string, path = '/etc/texts/de.yaml') => {
  const parsed = parseOwnTexts({ path, text })
  return 'problems' in parsed ? parsed.problems.map(({ line, key, message }) => `${line} ${key}: ${message}`) : []
}

t.test('each kind of mistake, with its place', async t => {
  const long = 'x'.repeat(2001)
  const cases: [string, string[]][] = [
    ['', []],
    ['chooser:\n  title: Hallo\n', []],
    ['chooser:\n  with: Mit {name} los\n', []],
    ['chooser:\n  with: Los\n', ['2 chooser.with: leaves out {name}']],
    ['chooser:\n  title: Hallo {name}\n', ['2 chooser.title: unknown value {name}']],
    ['chooser:\n  titel: Hallo\n', ['2 chooser.titel: unknown text']],
    ['choosr:\n  title: Hallo\n', ['1 choosr: unknown text']],
    ['constructor: x\n', ['1 constructor: unknown text']],
    ['chooser: Hallo\n', ['1 chooser: not a mapping of texts']],
    [
      'chooser:\n  title: [a]\n  text: 7\n  none: " "\n',
      [
        '2 chooser.title: must be a string that is not empty',
        '3 chooser.text: must be a string that is not empty',
        '4 chooser.none: must be a string that is not empty',
      ],
    ],
    [`chooser:\n  title: ${long}\n`, ['2 chooser.title: is longer than 2000 characters']],
    ['dir: up\n', ['1 dir: must be ltr or rtl']],
    ['lang: de\n', ['1 lang: unknown text']],
    ['- a\n', ['1 (file): not a mapping of texts']],
    [
      'a: [\n',
      [
        '2 (yaml): invalid YAML from here on; a [ or { above is not closed or lacks a comma, or this line is not indented enough',
      ],
    ],
    ['chooser:\n  title: a\n  title: b\n', ['3 chooser.title: duplicate key']],
    ['chooser:\n  title: "\\u0007"\n', ['2 chooser.title: contains a control character']],
  ]
  for (const [text, lines] of cases) t.strictSame(linesOf(text), lines, JSON.stringify(text).slice(0, 60))
  t.strictSame(linesOf('', '/etc/texts/deutsch_neu.yaml'), ['1 (file): is not named after a language'])
  t.strictSame(linesOf('', '/etc/texts/it.yaml'), [
    "1 (file): language is missing: set it to the language's own name, which the language switch shows",
  ])
})

t.test('a further language says what stays English', async t => {
  const parsed = parseOwnTexts({ path: 'it.yaml', text: 'language: Italiano\nchooser: { title: Accedi }\n' })
  t.match(parsed, { lang: 'it', texts: { chooser: { title: 'Accedi' } } })
  t.ok('missing' in parsed && parsed.missing.includes('chooser.text') && !parsed.missing.includes('chooser.title'))
})

t.test('a language is a tag that dates can be written in', async t => {
  for (const tag of ['de', 'pt-BR', 'zh-Hant-TW', 'ast']) t.equal(isLanguageTag(tag), true, tag)
  for (const tag of ['', 'd', 'deutsch', 'de_AT', 'de-ab1', 'DE', '../de', 'x-y', 'de-', '__proto__']) {
    t.equal(isLanguageTag(tag), false, tag)
  }
})

t.test('in a configuration', async t => {
  const files = {
    'texts/de.yaml': 'chooser:\n  title: Willkommen bei Aloha\n',
    'texts/pt-BR.yaml': 'language: Português (Brasil)\n',
    'texts/README.md': 'not a language',
  }
  const pages = (languages: string[]) => settings({ pages: { texts: 'texts', languages } })
  const good = load(pages(['pt-BR', 'de']), { files })
  t.match(good, { config: { pages: { languages: ['pt-BR', 'de'] } } })
  t.match(good.warnings, [{ key: 'pages.texts', message: /^pt-BR: \d+ texts stay in English$/ }])
  const bad = load(pages(['it', 'de', 'de', 'deutsch']), {
    files: { ...files, 'texts/fr.yaml': 'a: b', 'texts/de.yml': '' },
  })
  t.match('problems' in bad ? bad.problems.map(({ key, message }) => `${key}: ${message}`).sort() : [], [
    'a: unknown text',
    'pages.languages[0]: unknown language',
    'pages.languages[2]: is listed twice',
    'pages.languages[3]: invalid language',
    'pages.texts: contains two files for de',
  ])
  t.match(load(settings({ pages: { texts: 'nowhere' } }), { files }), { problems: [{ key: 'pages.texts' }] })
})
