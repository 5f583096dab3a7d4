// The pages of logins, logouts and errors in Chromium, in every look of parts/page-checks.

import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Texts } from '../../../src/web/pages/i18n/texts.js'
import { languagesOf } from '../../../src/web/pages/languages.js'
import { noticePage, refusedPage } from '../../../src/web/pages/pages.js'
import { fill } from '../../../src/web/pages/sentence.js'
import { plainBrand } from '../../parts/brand.js'
import { type Profile, startChromium } from '../../parts/browser.js'
import { createFakeProvider, identityOf, refusedWith, samlMessage, startLoginServer } from '../../parts/login-server.js'
import { type CheckedPage, checkMarkup, checkPages } from '../../parts/page-checks.js'
import { freePort } from '../../parts/ports.js'
import { missingParts } from '../../parts/required-parts.js'

/** Markup, an override of the direction, Arabic, emoji, and 300 letters in one word. */
const oddName = `<b>"Aloha"</b> \u202eevil\u202c مكتب 😀 ${'x'.repeat(300)}`

async function startGate(t: Test, names: Record<string, string>) {
  const port = await freePort()
  const publicUrl = `http://localhost:${port}`
  const store = { fails: false }
  let email: string | undefined
  const verdict = () =>
    email === undefined ? refusedWith('saml.expired') : { identity: identityOf(email), unsolicited: true }
  const gate = await startLoginServer({
    settings: {
      publicUrl,
      login: { chooser: 'always' },
      admin: { roles: ['agent'] },
      access: {
        paths: [
          { match: '/strong/*', context: ['mfa'] },
          { match: '/settings/*', roles: ['chief'] },
        ],
      },
    },
    providers: Object.entries(names).map(([id, name]) =>
      createFakeProvider({ id, name, verdict, issuer: () => `https://${id}.example.com` }),
    ),
    store: inner => ({
      ...inner,
      get: key => (store.fails ? Promise.reject(new StoreUnavailable('by the test')) : inner.get(key)),
    }),
  })
  t.teardown(gate.close)
  t.teardown(() => gate.app.server.closeAllConnections())
  await gate.app.listen({ port, host: '127.0.0.1' })
  /** Posts a form of another page to a path. */
  const post = async ({ page, context }: Profile, path: string, fields: Record<string, string>, site = publicUrl) => {
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`)
    const body = `<form method=post action="${publicUrl}${path}">${inputs.join('')}<button>go</button></form>`
    await context.route(`${site}/start`, route => route.fulfill({ contentType: 'text/html', body }))
    await page.goto(`${site}/start`)
    await page.getByRole('button').click()
    await page.locator('h1').waitFor()
  }
  /** By default Ada; nobody: the provider's answer is refused. */
  const logIn = async (profile: Profile, who: 'nobody' | `${string}@example.com` = 'ada@example.com') => {
    email = who === 'nobody' ? undefined : who
    await post(profile, '/auth/saml/acs', { SAMLResponse: samlMessage('https://corp.example.com') })
  }
  const goto = (path: string) => (profile: Profile) => profile.page.goto(`${publicUrl}${path}`)
  /** Ada's session, without the pages of a login. */
  const enter = async ({ context }: Profile) => {
    await gate.sessions.end('all', 'by the test', 'ops')
    const open = (browser: string) => {
      const ada = identityOf('ada@example.com')
      const from = { address: '192.0.2.7', browser }
      return gate.sessions.create(ada, { email: ada.email, roles: ['agent'] }, from)
    }
    await open('Safari on iPhone')
    const { cookie } = await open('Chrome on Linux')
    await context.addCookies([{ name: gate.snapshot.cookies.session, value: cookie, url: publicUrl }])
  }
  const afterLogin = (path: string) => async (profile: Profile) => {
    await enter(profile)
    await goto(path)(profile)
  }
  /** A reply that comes after the end of its session. */
  const keep = async (profile: Profile) => {
    await enter(profile)
    await gate.sessions.end('all', 'by the test', 'ops')
    await post(profile, `/tickets/${'7'.repeat(200)}`, { text: 'x' })
  }
  const afterKeep = async (profile: Profile) => {
    await keep(profile)
    await afterLogin('/auth/kept')(profile)
  }
  const link = async () => {
    const order = { agent: 'ada@example.com', minutes: 5, reason: oddName.slice(0, 60), operator: 'ops' }
    return `/auth/breakglass/${(await gate.breakglass.issue(order)).token}`
  }
  const withoutStore = async (profile: Profile) => {
    const name = gate.snapshot.cookies.session
    await profile.context.addCookies([{ name, value: 'A'.repeat(43), url: publicUrl }])
    store.fails = true
    await goto('/tickets/1')(profile).finally(() => {
      store.fails = false
    })
  }
  return { publicUrl, post, logIn, enter, goto, afterLogin, keep, afterKeep, withoutStore, link }
}

t.test('every page in Chromium', { skip: missingParts('chromium'), timeout: 600_000 }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  const gate = await startGate(t, { corp: oddName, other: 'Aloha Portal' })
  const { publicUrl, post, logIn, enter, goto, afterLogin, keep, afterKeep, withoutStore, link } = gate
  const login = '/auth/login?return_to=/tickets/1'
  const pages: CheckedPage[] = [
    { name: 'chooser', open: goto(login) },
    {
      name: 'chooser-last-way',
      async open(profile) {
        await profile.context.addCookies([{ name: 'deskgate-way', value: 'other', url: `${publicUrl}/auth/` }])
        await goto(login)(profile)
      },
    },
    { name: 'chooser-logged-in', open: afterLogin(login) },
    { name: 'refused', open: profile => logIn(profile, 'nobody'), complaint: /400/ },
    { name: 'refused-agent', open: profile => logIn(profile, 'nobody@example.com'), complaint: /403/ },
    {
      name: 'refused-other-session',
      async open(profile) {
        await enter(profile)
        await logIn(profile, 'bob@example.com')
      },
      complaint: /409/,
    },
    { name: 'one-time-link', open: async profile => goto(await link())(profile) },
    { name: 'one-time-link-gone', open: goto('/auth/breakglass/gone'), complaint: /40\d/ },
    { name: 'logout', open: afterLogin('/auth/logout') },
    { name: 'logout-nobody', open: goto('/auth/logout') },
    { name: 'logged-out', open: goto('/auth/logged-out') },
    { name: 'sessions', open: afterLogin('/auth/session') },
    { name: 'popup', open: afterLogin('/auth/popup') },
    { name: 'not-found', open: goto('/auth/nothing'), complaint: /404/ },
    { name: 'bad-request', open: goto('/auth/%00'), complaint: /400/ },
    { name: 'wrong-method', open: goto('/auth/jwt/callback'), complaint: /405/ },
    { name: 'desk-unreachable', open: afterLogin('/tickets/1'), complaint: /502/ },
    { name: 'not-sent', open: profile => post(profile, '/tickets/1', { text: 'x' }), complaint: /401/ },
    {
      name: 'step-up-not-sent',
      async open(profile) {
        await enter(profile)
        await post(profile, '/strong/1', { text: 'x' })
      },
      complaint: /401/,
    },
    {
      name: 'wrong-host',
      open: ({ page }) => page.goto(`${publicUrl.replace('localhost', '127.0.0.1')}${login}`),
      complaint: /421/,
    },
    { name: 'kept', open: keep, complaint: /401/ },
    { name: 'kept-page', open: afterKeep, complaint: /401/ },
    {
      name: 'kept-thrown-away',
      async open(profile) {
        await afterKeep(profile)
        await profile.page.locator('form[action="/auth/kept/discard"] button').click()
        await profile.page.waitForURL('**/discard')
      },
      complaint: /401/,
    },
    { name: 'forbidden', open: afterLogin('/settings/1'), complaint: /403/ },
    {
      name: 'sent-from-elsewhere',
      open: profile => post(profile, '/auth/logout', {}, publicUrl.replace('localhost', '127.0.0.1')),
      complaint: /403/,
    },
    {
      name: 'too-large',
      open: profile => post(profile, '/auth/language', { x: 'x'.repeat(20_000) }),
      complaint: /413/,
    },
    { name: 'store-unavailable', open: withoutStore, complaint: /503/ },
    {
      name: 'one-time-link-expired',
      async open(profile) {
        await goto(`/auth/breakglass/${'A'.repeat(43)}`)(profile)
        await profile.page.locator('main button').click()
        await profile.page.locator('.reference').waitFor()
      },
      complaint: /4\d\d/,
    },
    { name: 'kept-none', open: afterLogin('/auth/kept'), complaint: /4\d\d/ },
    ...['', '/refused', '/state', '/links'].map(section => ({
      name: `session-desk${section.replace('/', '-')}`,
      open: afterLogin(`/auth/admin${section}`),
    })),
  ]
  await checkPages(t, browser, pages)

  for (const texts of languagesOf({ languages: [], texts: null })) {
    await t.test(`every sentence in ${texts.lang}`, t => checkMarkup(t, browser, everyNotice(texts)))
  }
})

/** A page for each title with its text, as the gateway builds them; a value is a long word. */
function everyNotice(texts: Texts): Map<string, string> {
  const place = { texts, brand: plainBrand() }
  const buttons = Object.values(texts.buttons).map(label => {
    const values = { name: 'n'.repeat(80) }
    return { label: label.includes('{') ? fill(label, values) : label, to: { get: '/' }, look: 'quiet' as const }
  })
  const pages = new Map<string, string>()
  const read = (part: object, path: string) => {
    const { title, text } = part as { title?: string; text?: string }
    if (title !== undefined && text !== undefined) {
      const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, `https://${'v'.repeat(60)}`])
      const words = { title, text: fill(text, Object.fromEntries(names)) }
      pages.set(path, noticePage(place, { ...words, buttons, requestId: 'a'.repeat(36) }).text)
    }
    for (const [key, value] of Object.entries(part)) {
      if (typeof value === 'object' && value !== null) read(value, `${path}.${key}`)
    }
  }
  read(texts, texts.lang)
  for (const [kind, words] of Object.entries(texts.refusals)) {
    const refused = { words, reason: 'saml.in_response_to_unknown', reference: 'ABCDE-FGHJK' } as const
    const button = { label: texts.buttons.otherAccount, to: { get: '/' } }
    const email = `${'a'.repeat(64)}@example.com`
    pages.set(`${texts.lang} ${kind}`, refusedPage(place, { ...refused, button, more: buttons, email }).text)
  }
  return pages
}
