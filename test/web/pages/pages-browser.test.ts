// Our pages in a real browser: what the policy allows and what it stops is the browser's word, not ours.

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Provider } from '../../../src/core/providers.js'
import { startChromium } from '../../parts/browser.js'
import { createFakeProvider, identityOf, samlMessage, startLoginServer } from '../../parts/login-server.js'
import { freePort } from '../../parts/ports.js'
import { missingParts } from '../../parts/required-parts.js'
import { newSigningKey } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const gone = missingParts('chromium')

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function openGate(t: Test, provider: Partial<Provider>, login = 'auto') {
  const port = await freePort()
  const publicUrl = `http://localhost:${port}`
  const verdict = () => ({ identity: identityOf('ada@example.com') })
  const gate = await startLoginServer({
    settings: { publicUrl, login: { chooser: login } },
    providers: [createFakeProvider({ verdict, formTargets: () => [], ...provider })],
  })
  t.teardown(gate.close)
  t.teardown(() => gate.app.server.closeAllConnections())
  await gate.app.listen({ port, host: '127.0.0.1' })
  return { gate, publicUrl }
}

t.test('pages in Chromium', { skip: gone }, async t => {
  const browser = await startChromium()
  t.teardown(() => browser.close())

  for (const scripts of ['on', 'off'] as const) {
    t.test(`the form to a provider sends itself, or by its button: scripts ${scripts}`, async t => {
      const value = `"><script>document.title='broken'</script>`
      const idp = await serve(t, (request, response) => {
        let body = ''
        request.on('data', (chunk: Buffer) => {
          body += chunk
        })
        request.on('end', () => response.end(`got ${request.method} ${body}`))
      })
      const begin = async () => ({ post: `${idp}/sso`, fields: { RelayState: value, submit: 'a field of that name' } })
      const { publicUrl } = await openGate(t, { begin })
      const visit = await browser.newProfile({ scripts })
      t.teardown(visit.close)
      await visit.page.goto(`${publicUrl}/auth/login/corp`)
      if (scripts === 'off') await visit.page.getByRole('button', { name: 'Continue' }).click()
      await visit.page.getByText('got POST').waitFor()
      const body = `RelayState=${new URLSearchParams({ a: value }).toString().slice(2)}`
      t.ok((await visit.page.content()).includes(body), 'byte for byte')
      t.strictSame(visit.complaints, [])
    })
  }

  t.test('a logout reaches a provider that redirects to a host of its own', async t => {
    const end = await serve(t, (_, response) => response.end('logged out there too'))
    const idp = await serve(t, (_, response) => response.writeHead(302, { location: `${end}/bye` }).end())
    const { gate, publicUrl } = await openGate(t, { logout: () => ({ redirect: `${idp}/logout?a=1&b="2"` }) })
    const visit = await browser.newProfile()
    t.teardown(visit.close)
    const message = samlMessage()
    await visit.context.route(`${publicUrl}/start`, route =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method=post action=/auth/saml/acs><input name=SAMLResponse value="${message}"><button>go</button></form>`,
      }),
    )
    await visit.page.goto(`${publicUrl}/start`)
    await visit.page.getByRole('button').click()
    // There is no Desk behind this gateway: that it is asked shows that the login went through.
    await visit.page.getByText('You are logged in, but').waitFor()
    await visit.page.goto(`${publicUrl}/auth/logout`)
    await visit.page.getByRole('button', { name: 'Log out' }).click()
    await visit.page.getByText('logged out there too').waitFor()
    t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 0)
    t.strictSame(
      visit.complaints.filter(complaint => !complaint.includes('502')),
      [],
    )
  })

  t.test('a signed request by form goes from the chooser to the provider', async t => {
    const idp = await serve(t, (request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk
      })
      request.on('end', () => {
        const form = new URLSearchParams(body)
        const xml = Buffer.from(form.get('SAMLRequest') ?? '', 'base64').toString()
        const id = /<samlp:AuthnRequest [^>]*ID="_([^"]+)"/.exec(xml)?.[1]
        response.end(`${request.method} ${id === form.get('RelayState')} ${xml.includes('<ds:SignatureValue>')}`)
      })
    })
    const signing = newSigningKey()
    const facts = { entityId: 'urn:idp', loginPostUrl: `${idp}/sso`, certificates: [], wantsSignedRequests: true }
    const metadata = {
      current: () => facts,
      problem: () => undefined,
      ready: Promise.resolve(),
      refresh: async () => undefined,
      close: () => undefined,
    }
    const key = { path: 'sp.key', text: signing.key }
    const certificate = { path: 'sp.crt', text: signing.certificate }
    const settings = samlSettings([], { metadata: { url: 'https://idp.example.com' }, key, certificate })
    const { begin, formTargets } = openSaml(settings, { metadata }).provider
    const { publicUrl } = await openGate(t, { begin, formTargets, name: 'Aloha' }, 'always')
    const visit = await browser.newProfile()
    t.teardown(visit.close)
    await visit.page.goto(`${publicUrl}/auth/login`)
    await visit.page.getByText('Aloha').click()
    await visit.page.getByText('POST true true').waitFor()
    t.strictSame(visit.complaints, [])
  })

  t.test('pages stand at 320 px, by keyboard, in light and dark', async t => {
    const { publicUrl } = await openGate(
      t,
      { name: 'Aloha Adventures International Holdings of the Pacific' },
      'always',
    )
    const visit = await browser.newProfile({ width: 320, height: 640 })
    t.teardown(visit.close)
    const { page } = visit
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const path of ['login', 'logout', 'logged-out', 'nothing']) {
        await page.goto(`${publicUrl}/auth/${path}`)
        const { clientWidth, scrollWidth, ground } = (await page.evaluate(
          `({
          clientWidth: document.documentElement.clientWidth,
          scrollWidth: document.documentElement.scrollWidth,
          ground: getComputedStyle(document.body).backgroundColor,
        })` as never,
        )) as { clientWidth: number; scrollWidth: number; ground: string }
        t.equal(scrollWidth, clientWidth, `${path} fits`)
        t.equal(ground, colorScheme === 'light' ? 'rgb(243, 245, 250)' : 'rgb(14, 18, 32)', 'the style is allowed')
        await page.keyboard.press('Tab')
        t.equal(
          await page.evaluate('document.activeElement.className' as never),
          path === 'logout' ? 'button quiet' : 'button',
        )
        t.equal(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle' as never), 'solid')
      }
    }
    const expected = /404/
    t.strictSame(
      visit.complaints.filter(complaint => !expected.test(complaint)),
      [],
    )
  })
})
