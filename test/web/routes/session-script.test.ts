// session.js as it is served, and a login in a small window, without a browser: see test/flow/session-warning.test.ts.

import { Script } from 'node:vm'
import t, { type Test } from 'tap'
import {
  createFakeProvider,
  identityOf,
  type LoginServer,
  refusedWith,
  samlMessage,
  startLoginServer,
} from '../../parts/login-server.js'

const start = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}
const own = { 'sec-fetch-site': 'same-origin' }
const popup = '/auth/login?display=popup'

t.test('the script: for everybody, kept by browsers, and asked for each time', async t => {
  const gate = await start(t)
  const browser = gate.browser()
  const response = await browser.fetch('/auth/session.js')
  t.equal(response.statusCode, 200)
  t.match(response.headers, {
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'no-cache',
    vary: 'Accept-Language, Cookie',
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    etag: /^"[\w-]{22}"$/,
  })
  t.equal(response.headers['set-cookie'], undefined)
  t.doesNotThrow(() => new Script(response.body), 'a classic script')
  const etag = String(response.headers.etag)
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
    const again = await browser.fetch('/auth/session.js', { 'if-none-match': known })
    t.match(again, { statusCode: 304, body: '', headers: { etag } }, known)
  }
  t.equal((await browser.fetch('/auth/session.js', { 'if-none-match': '"other"' })).statusCode, 200)
})

t.test('it speaks the language of the agent, and each language is another version', async t => {
  const gate = await start(t)
  const etags = new Set<unknown>()
  for (const [language, words] of [
    ['en', 'Stay logged in'],
    ['de', 'Angemeldet bleiben'],
    ['fr', 'Rester connecté'],
    ['es', 'Mantener la sesión'],
    ['ar', 'متابعة الجلسة'],
  ] as const) {
    const { body, headers } = await gate.browser().fetch('/auth/session.js', { 'accept-language': language })
    t.ok(body.includes(words), language)
    t.match(body, `"dir": "${language === 'ar' ? 'rtl' : 'ltr'}"`)
    t.match(body, '{time}')
    etags.add(headers.etag)
  }
  t.equal(etags.size, 5)
})

t.test('Attack: it is the same for an agent who is logged in: nothing of a session is in it', async t => {
  const gate = await start(t)
  const browser = gate.browser()
  const before = (await browser.fetch('/auth/session.js')).body
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  t.equal((await browser.fetch('/auth/session.js')).body, before)
})

t.test('under another prefix it asks there', async t => {
  const gate = await start(t, { settings: { prefix: '/sso' } })
  const { body } = await gate.browser().fetch('/sso/session.js')
  for (const path of ['/sso/session', '/sso/session/touch', '/sso/login']) t.match(body, `"${path}"`)
  t.notMatch(body, '/auth/')
})

t.test('a small window: the login ends on a page that tells the others, by either kind of provider', async t => {
  const gate = await start(t)
  const browser = gate.browser()
  const begun = await browser.visit(popup, own)
  const asked = new URL(String(begun.headers.location)).searchParams
  t.match(asked.get('return_to'), /^https:\/\/desk\.example\.com\/auth\/popup\?deskgate_state=/)
  const fields = { jwt: await gate.token(), state: asked.get('state') ?? '', return_to: asked.get('return_to') ?? '' }
  const done = await browser.post('/auth/jwt', fields)
  t.match(done, { statusCode: 303, headers: { location: '/auth/popup' } })
  const page = await browser.visit('/auth/popup')
  t.match(page.body, "new BroadcastChannel('deskgate').postMessage('login');close()")
  t.match(page.body, 'You are logged in')
  t.match((await browser.visit(popup, own)).headers.location, '/auth/popup', 'with a session there is nothing to do')

  const verdict = () => ({ identity: identityOf('ada@example.com') })
  const saml = await start(t, { providers: [createFakeProvider({ verdict })] })
  const other = saml.browser()
  const form = await other.visit(popup, own)
  const RelayState = /name="RelayState" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
  const posted = await other.post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState })
  t.match(posted, { statusCode: 303, headers: { location: '/auth/popup' } })
})

t.test('only that page runs its script: no policy got wider', async t => {
  const gate = await start(t)
  const hash = async (path: string) => {
    const { headers } = await gate.browser().visit(path)
    return /script-src ('sha256-[^']+')(;|$)/.exec(String(headers['content-security-policy']))?.[1]
  }
  t.ok(await hash('/auth/popup'))
  t.not(await hash('/auth/popup'), await hash('/auth/logout'))
})

t.test('every page on the way keeps to the small window', async t => {
  const verdict = () => refusedWith('saml.expired')
  const gate = await start(t, { providers: [createFakeProvider({ verdict }), createFakeProvider({ id: 'b' })] })
  const browser = gate.browser()
  const chooser = await browser.visit(popup, own)
  t.match(chooser.body, 'href="/auth/login/corp?display&#61;popup"')
  t.match(chooser.body, 'value="/auth/login?display&#61;popup"', 'the switch of the language comes back to it')
  const form = await browser.visit('/auth/login/corp?display=popup', own)
  const RelayState = /name="RelayState" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
  const refused = await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage(), RelayState })
  t.equal(refused.statusCode, 400)
  t.match(refused.body, 'href="/auth/login/corp?display&#61;popup"')
  t.match(refused.body, /href="\/auth\/popup"[^>]*>Close this window/)
  t.match((await browser.visit('/auth/popup')).body, 'Nothing has changed')
  const elsewhere = await browser.visit(popup, { ...own, host: 'other.example.com' })
  t.match(elsewhere.body, /desk\.example\.com\/auth\/login\?display&#61;popup&#38;here&#61;1/)
})

t.test('a session that ends in a moment is renewed, any other is enough', async t => {
  const gate = await start(t, { settings: { sessions: { lifetime: '1h' } } })
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  gate.clock.move(57 * 60_000)
  t.equal((await browser.visit(popup, own)).headers.location, '/auth/popup')
  gate.clock.move(60_000)
  t.match((await browser.visit(popup, own)).headers.location, /^https:\/\/portal\.example\.com\/login/)
  t.equal((await browser.visit('/auth/login', own)).headers.location, '/', 'only in a small window')
})

t.test('Attack: return_to names the page of the small window, or another site opens one', async t => {
  const gate = await start(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  for (const path of ['/auth/login?return_to=/auth/popup', '/auth/login?return_to=%2Fauth%2Fpopup&display=window']) {
    t.equal((await browser.visit(path, own)).headers.location, '/', path)
  }
  for (const site of ['cross-site', 'same-site']) {
    const asked = await browser.visit(`${popup}&return_to=/tickets`, { 'sec-fetch-site': site })
    t.equal(asked.headers.location, '/tickets', `${site}: a login like any other`)
  }
  t.equal((await browser.visit(`${popup}&display=x`, own)).headers.location, '/', 'said twice')
  const forged = await browser.post('/auth/jwt', { jwt: await gate.token(), return_to: '/auth/popup' })
  t.equal(forged.headers.location, '/', 'nor can a token')
  for (const cookie of ['', 'x=1']) {
    const page = await gate.browser().visit('/auth/popup', { 'sec-fetch-site': 'cross-site', cookie })
    t.match(page.body, 'close()', 'it closes whether somebody is logged in or not')
  }
})
