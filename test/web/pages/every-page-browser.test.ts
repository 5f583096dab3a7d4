// The pages of logins, logouts and errors in Chromium, in every look of parts/page-checks.

import t, { type Test } from 'tap'
import { choosePorts } from '../../../src/demo/demo.js'
import { type Profile, startChromium } from '../../parts/browser.js'
import { createFakeProvider, identityOf, refusedWith, samlMessage, startLoginServer } from '../../parts/login-server.js'
import { type CheckedPage, checkPages } from '../../parts/page-checks.js'
import { missingParts } from '../../parts/required-parts.js'

/** Markup, an override of the direction, Arabic, emoji, and 300 letters in one word. */
const oddName = `<b>"Aloha"</b> \u202eevil\u202c مكتب 😀 ${'x'.repeat(300)}`

async function startGate(t: Test, names: Record<string, string>) {
  const [port = 0] = await choosePorts(0, '127.0.0.1')
  const publicUrl = `http://localhost:${port}`
  let refuse = false
  const verdict = () => (refuse ? refusedWith('saml.expired') : { identity: identityOf('ada@example.com') })
  const gate = await startLoginServer({
    settings: { publicUrl, login: { chooser: 'always' } },
    providers: Object.entries(names).map(([id, name]) =>
      createFakeProvider({ id, name, verdict, issuer: () => `https://${id}.example.com` }),
    ),
  })
  t.teardown(gate.close)
  t.teardown(() => gate.app.server.closeAllConnections())
  await gate.app.listen({ port, host: '127.0.0.1' })
  /** Posts a form of another page to a path. */
  const post = async ({ page, context }: Profile, path: string, fields: Record<string, string>) => {
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`)
    const body = `<form method=post action="${path}">${inputs.join('')}<button>go</button></form>`
    await context.route(`${publicUrl}/start`, route => route.fulfill({ contentType: 'text/html', body }))
    await page.goto(`${publicUrl}/start`)
    await page.getByRole('button').click()
    await page.locator('h1').waitFor()
  }
  const logIn = async (profile: Profile, result: 'accepted' | 'refused' = 'accepted') => {
    refuse = result === 'refused'
    await post(profile, '/auth/saml/acs', { SAMLResponse: samlMessage('https://corp.example.com') })
  }
  const goto = (path: string) => (profile: Profile) => profile.page.goto(`${publicUrl}${path}`)
  const afterLogin = (path: string) => async (profile: Profile) => {
    await logIn(profile)
    await goto(path)(profile)
  }
  /** A reply that comes after the end of its session. */
  const keep = async (profile: Profile) => {
    await logIn(profile)
    await gate.sessions.end('all', 'by the test', 'ops')
    await post(profile, `/tickets/${'7'.repeat(200)}`, { text: 'x' })
  }
  const afterKeep = async (profile: Profile) => {
    await keep(profile)
    await afterLogin('/auth/kept')(profile)
  }
  return { post, logIn, goto, afterLogin, keep, afterKeep }
}

t.test('every page in Chromium', { skip: missingParts('chromium'), timeout: 600_000 }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  const { post, logIn, goto, afterLogin, keep, afterKeep } = await startGate(t, {
    corp: oddName,
    other: 'Aloha Portal',
  })
  const pages: CheckedPage[] = [
    { name: 'chooser', open: goto('/auth/login?return_to=/tickets/1') },
    { name: 'chooser-logged-in', open: afterLogin('/auth/login?return_to=/tickets/1'), complaint: /502/ },
    { name: 'refused', open: profile => logIn(profile, 'refused'), complaint: /400/ },
    { name: 'logout', open: afterLogin('/auth/logout'), complaint: /502/ },
    { name: 'logged-out', open: goto('/auth/logged-out') },
    { name: 'sessions', open: afterLogin('/auth/session'), complaint: /502/ },
    { name: 'not-found', open: goto('/auth/nothing'), complaint: /404/ },
    { name: 'desk-unreachable', open: afterLogin('/tickets/1'), complaint: /502/ },
    { name: 'not-sent', open: profile => post(profile, '/tickets/1', { text: 'x' }), complaint: /401/ },
    { name: 'kept', open: keep, complaint: /401|502/ },
    { name: 'kept-page', open: afterKeep, complaint: /401|502/ },
  ]
  await checkPages(t, browser, pages)
})
