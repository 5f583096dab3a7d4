// The demo's pages in a real browser, over TLS on two made-up hosts: they look as they should, at a desk and on a phone,
// run without complaint, and work without a script.

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { createDemoDesk } from '../../src/demo/desk.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { createTestClock } from '../parts/clock.js'
import { createTestIdp } from '../parts/demo-idp.js'
import { createAssertionSigner, goodHeaders } from '../parts/desk-assertion.js'
import { missingParts } from '../parts/required-parts.js'

const sizes = { desktop: { width: 1200, height: 800 }, phone: { width: 390, height: 800 } }

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

t.test('the pages of provider and Desk', { skip: missingParts('chromium', 'openssl') }, async t => {
  const authority = await createAuthority()
  t.teardown(() => authority.remove())
  const browser = await startChromium({
    hosts: { 'idp.test': '127.0.0.1', 'desk.test': '127.0.0.1', 'wrong.test': '127.0.0.1' },
    trust: [authority.spki],
  })
  t.teardown(() => browser.close())

  const issuer = 'https://desk.test'
  const clock = createTestClock()
  const signer = await createAssertionSigner({ issuer, audience: issuer, clock })
  const desk = createDemoDesk({
    jwksUrl: `${issuer}/auth/jwks.json`,
    issuer,
    audience: issuer,
    clock,
    fetch: signer.fetch,
    tls: await authority.issue(['desk.test']),
  })
  const { app: idp } = createTestIdp({
    origin: 'https://idp.test',
    publicUrl: issuer,
    entityId: 'desk.test',
    tls: await authority.issue(['idp.test']),
  })
  t.teardown(() => Promise.all([desk.close(), idp.close()]))
  const deskUrl = `https://desk.test:${await listen(desk)}`
  const idpUrl = `https://idp.test:${await listen(idp)}`
  const headers = async () => ({ ...goodHeaders, 'x-agent-assertion': await signer.sign() })

  for (const [name, size] of Object.entries(sizes)) {
    t.test(`look right on a ${name}`, async t => {
      const { page, context, complaints, close } = await browser.newProfile(size)
      t.teardown(close)
      // The gateway's, which is not here.
      await context.route('**/auth/session.js', route => route.fulfill({ contentType: 'text/javascript', body: '' }))
      const wide = () => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      const shows = async (url: string, text: string, picture: string) => {
        await page.goto(url)
        await page.getByText(text).first().waitFor()
        await screenshot(page, `${picture}-${name}`)
        t.equal(await wide(), 0, `${picture} is no wider than the ${name}`)
      }
      await shows(`${idpUrl}/jwt/login?state=x`, 'Who are you today?', 'idp-login')
      await shows(`${deskUrl}/`, 'did not come through the gateway', 'desk-refused')
      t.equal(complaints.splice(0).length, 1, 'only the refused page: 403')
      await context.setExtraHTTPHeaders(await headers())
      await shows(`${deskUrl}/`, 'Here now: João Silva', 'desk-queue')
      await shows(`${deskUrl}/tickets/1047`, 'Here now: João Silva', 'desk-ticket')
      t.strictSame(complaints, [])
    })
  }

  t.test('the lesser pages are there too', async t => {
    const { page, context, close } = await browser.newProfile()
    t.teardown(close)
    const shows = async (url: string, text: string, picture: string) => {
      await page.goto(url)
      await page.getByText(text).first().waitFor()
      await screenshot(page, picture)
    }
    await shows(`${idpUrl}/`, 'A small identity provider', 'idp-home')
    await shows(`${idpUrl}/logout`, 'You are logged out', 'idp-logout')
    await shows(`${idpUrl}/saml/sso?SAMLRequest=x`, 'This login cannot go on', 'idp-refused')
    await context.setExtraHTTPHeaders(await headers())
    await shows(`${deskUrl}/team`, 'Here now: João Silva', 'desk-team')
    await shows(`${deskUrl}/nowhere`, 'There is no such page or ticket.', 'desk-nothing')
  })

  t.test('the provider works without a script, and hands over to the gateway only', async t => {
    const { page, close } = await browser.newProfile({ scripts: 'off' })
    t.teardown(close)
    await page.goto(`${idpUrl}/jwt/login?state=st4te`)
    await page.getByRole('button', { name: 'Maya Okafor' }).click()
    await screenshot(page, 'idp-handover')
    t.equal(await page.locator('#callback').getAttribute('action'), `${issuer}/auth/jwt/callback`)
    t.ok(await page.getByRole('button', { name: 'Continue to Desk' }).isVisible())
  })

  t.test('a certificate of another authority is not trusted, and no other host is there', async t => {
    const { page, close } = await browser.newProfile()
    t.teardown(close)
    const other = await createAuthority('Another authority')
    t.teardown(() => other.remove())
    const { app } = createTestIdp({
      origin: 'https://wrong.test',
      publicUrl: issuer,
      entityId: 'desk.test',
      tls: await other.issue(['wrong.test']),
    })
    t.teardown(() => app.close())
    await t.rejects(page.goto(`https://wrong.test:${await listen(app)}/`), /ERR_CERT_AUTHORITY_INVALID/)
    await t.rejects(page.goto('https://elsewhere.test/'), /ERR_NAME_NOT_RESOLVED/)
  })
})
