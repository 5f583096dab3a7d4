import t from 'tap'
import type { ConfigSnapshot } from '../../../src/web/context.js'
import { en } from '../../../src/web/pages/i18n/en.js'
import { languageTags } from '../../../src/web/pages/i18n/texts.js'
import { languagesOf } from '../../../src/web/pages/languages.js'
import { createCookies } from '../../../src/web/request/cookies.js'
import { textsFor } from '../../../src/web/responses/page-responses.js'
import { startLoginServer } from '../../parts/login-server.js'

const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
const all = languagesOf({ languages: [], texts: null })
const choose = (headers: Record<string, string | undefined>, languages = all) =>
  textsFor({ request: { headers }, snapshot: { languages, cookies } as ConfigSnapshot }).lang

t.test('the languages are those of the configuration, in its order', async t => {
  t.strictSame(
    all.map(({ lang }) => lang),
    languageTags,
  )
  t.strictSame(
    languagesOf({ languages: ['ar', 'de'], texts: null }).map(({ lang }) => lang),
    ['ar', 'de'],
  )
})

t.test('a language is chosen by what the request prefers', async t => {
  const languages: typeof all = [en, ...all.slice(1), { ...en, lang: 'pt-BR' }, { ...en, lang: 'pt' }]
  const cases: [string | undefined, string][] = [
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['DE-at', 'de'],
    ['ar-EG,ar;q=0.9,en;q=0.8', 'ar'],
    ['it, de;q=0.5', 'de'],
    ['de;q=0.4, en;q=0.9', 'en'],
    ['pt-PT', 'pt'],
    ['pt-BR, pt;q=0.9', 'pt-BR'],
    ['de;q=0, pt', 'pt'],
    ['*', 'en'],
    ['nonsense;q=x, ;;,,', 'en'],
    [`${'x,'.repeat(4000)}de`, 'en'],
    [`de;q=${'1'.repeat(8000)}`, 'de'],
  ]
  for (const [header, lang] of cases) {
    t.equal(choose({ 'accept-language': header }, languages), lang, header?.slice(0, 40) ?? 'none')
  }
})

t.test('what the agent has chosen wins, if it is offered', async t => {
  const headers = { 'accept-language': 'fr', cookie: 'a=b; deskgate-lang=de' }
  t.equal(choose(headers), 'de')
  t.equal(choose(headers, languagesOf({ languages: ['es', 'fr'], texts: null })), 'fr')
  t.equal(choose({ ...headers, cookie: 'deskgate-lang=de; deskgate-lang=es' }), 'fr', 'two choices are none')
  t.equal(choose({ ...headers, cookie: 'deskgate-lang="><script>' }), 'fr')
})

t.test('with one language the headers are not even read', async t => {
  const request = {
    get headers(): never {
      throw new Error('read')
    },
  }
  const [first] = languagesOf({ languages: ['fr'], texts: null })
  t.equal(textsFor({ request, snapshot: { languages: [first] } as unknown as ConfigSnapshot }), first)
})

t.test('the switch remembers the language and leads back to its page', async t => {
  const gate = await startLoginServer({ settings: { login: { chooser: 'always' } } })
  t.teardown(gate.close)
  const browser = gate.browser()
  const page = '/auth/login?return_to=%2Ftickets%2F1'
  const before = await browser.visit(page)
  t.match(before.body, '<html lang="en" dir="ltr">')
  t.match(before.body, `<input type="hidden" name="page" value="${page.replaceAll('=', '&#61;')}">`)
  const answer = await browser.send('/auth/language', { lang: 'ar', page })
  t.equal(answer.statusCode, 303)
  t.equal(answer.headers.location, page)
  const cookie = String(answer.headers['set-cookie'])
  t.equal(cookie, 'deskgate-lang=ar; Max-Age=31536000; Path=/auth; HttpOnly; Secure; SameSite=Lax')
  const after = await browser.visit(page, { 'accept-language': 'de' })
  t.match(after.body, '<html lang="ar" dir="rtl">')
  t.match(after.body, '<span lang="ar" dir="rtl" aria-current="true">العربية</span>')

  for (const elsewhere of [
    '//evil.example.com',
    'https://evil.example.com/auth/login',
    '/tickets/1',
    '/auth/../x',
    '',
    '/auth\\x',
  ]) {
    const answer = await browser.send('/auth/language', { lang: 'tlh', page: elsewhere })
    t.equal(answer.headers.location, '/auth/login', elsewhere)
    t.equal(answer.headers['set-cookie'], undefined, 'a language that does not exist')
  }
  const forged = await browser.send('/auth/language', { lang: 'de', page }, { origin: 'https://evil.example.com' })
  t.equal(forged.statusCode, 403)
  t.equal(browser.cookies.get('deskgate-lang'), 'ar')
})

t.test('pages that cannot be asked for again, and those of a single language, have no switch', async t => {
  const gate = await startLoginServer({ settings: { pages: { languages: ['fr'] } } })
  t.teardown(gate.close)
  const logout = await gate.browser().visit('/auth/logout', { 'accept-language': 'de' })
  t.match(logout.body, '<html lang="fr"')
  t.notMatch(logout.body, '/auth/language')
  const all = await startLoginServer()
  t.teardown(all.close)
  const forged = { 'accept-language': 'de', origin: 'https://evil.example.com' }
  const refused = await all.browser().send('/auth/logout', {}, forged)
  t.match(refused.body, 'Das wurde nicht von hier gesendet')
  t.notMatch(refused.body, '/auth/language')
  const elsewhere = await all.browser().visit('/auth/login', { host: 'desk' })
  t.equal(elsewhere.statusCode, 421)
  t.notMatch(elsewhere.body, '/auth/language', 'a form from there is refused')
  t.match((await all.browser().visit('/auth/logout')).body, '/auth/language')
})

t.test("a company's own sentences and a further language stand on the pages; the rest stays", async t => {
  const texts = {
    path: '/texts',
    files: [
      { path: '/texts/de.yaml', text: 'loggedOut:\n  title: Tschüs bei <b>Aloha</b>\n' },
      { path: '/texts/he.yaml', text: 'language: עברית\ndir: rtl\nlogout:\n  text: "{email} מחובר"\n' },
    ],
  }
  const languages = languagesOf({ languages: [], texts })
  t.strictSame(
    languages.map(({ lang }) => lang),
    ['en', 'de', 'fr', 'es', 'ar', 'he'],
  )
  const of = (lang: string) => languages.find(one => one.lang === lang) ?? en
  t.match(of('de').loggedOut, { title: 'Tschüs bei <b>Aloha</b>', button: 'Wieder anmelden' })
  t.match(of('he'), { dir: 'rtl', language: 'עברית', logout: { text: '{email} מחובר', button: 'Log out' } })
  t.equal(choose({ 'accept-language': 'he-IL' }, languages), 'he')
  t.strictSame(
    languagesOf({ languages: ['he', 'de'], texts }).map(({ lang }) => lang),
    ['he', 'de'],
  )
  t.throws(() => languagesOf({ languages: [], texts: { path: '', files: [{ path: 'de.yaml', text: 'a: b' }] } }))
})
