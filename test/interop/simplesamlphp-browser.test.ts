// The same identity provider with a real browser: gateway and SimpleSAMLphp on two sites, the gateway over TLS, so that its
// answer is really cross-site and the production cookies are used.

import t from 'tap'
import { screenshot, startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { noSimpleSamlPhp, startSimpleSamlPhp, users } from '../parts/simplesamlphp.js'
import { createUserAgent } from '../parts/user-agent.js'

const names = { gateway: 'desk.alpha.test', idp: 'login.beta.test' }

t.test('a browser logs in by SimpleSAMLphp', { skip: missingParts('chromium') || noSimpleSamlPhp() }, async t => {
  const authority = await createAuthority()
  const [idp, desk, port] = await Promise.all([startSimpleSamlPhp({ host: names.idp }), startDesk(), freePort()])
  const publicUrl = `https://${names.gateway}:${port}`
  const tls = await authority.issue([names.gateway])
  // Only the browser knows the names: the gateway has the metadata as a file.
  const metadata = await createUserAgent(idp.url, { port: idp.port }).fetch('/saml2/idp/metadata.php')
  const corp = { id: 'corp', type: 'saml', name: 'Aloha', metadata: 'idp.xml', attributes: { name: 'displayName' } }
  const gateway = await startInProcessGateway(
    {
      publicUrl,
      listen: `127.0.0.1:${port}`,
      tls: { cert: 'tls.crt', key: 'tls.key' },
      desk: { url: desk.url },
      providers: [corp],
      agents: [{ domains: ['example.com'] }],
    },
    { files: { 'idp.xml': metadata.body, 'tls.crt': tls.cert, 'tls.key': tls.key } },
  )
  const hosts = { [names.gateway]: '127.0.0.1', [names.idp]: '127.0.0.1' }
  const browser = await startChromium({ hosts, trust: [authority.spki] })
  t.teardown(async () => {
    await browser.close()
    await gateway.close()
    await Promise.all([idp.stop(), desk.close(), authority.remove()])
  })
  const sp = await createUserAgent(publicUrl, { port, ca: authority.cert }).fetch('/auth/saml/metadata')
  await idp.importSp(sp.body)
  desk.onRequest((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<title>Desk</title><h1>${request.headers['x-agent-email']}</h1>`)
  })

  const { page, context } = await browser.newProfile()
  await page.goto(`${publicUrl}/tickets/7?from=mail`)
  await page.getByLabel('Username').fill('jane')
  t.equal(new URL(page.url()).origin, idp.url, 'straight to the one provider')
  await page.getByLabel('Password').fill(users.jane.password)
  await screenshot(page, 'simplesamlphp-login')
  await page.getByRole('button', { name: 'Login' }).click()
  await page.getByRole('heading', { name: 'jane@example.com' }).waitFor()
  t.equal(page.url(), `${publicUrl}/tickets/7?from=mail`)
  const cookies = await context.cookies(publicUrl)
  t.match(
    cookies.find(({ name }) => name === '__Host-deskgate'),
    { secure: true, httpOnly: true, sameSite: 'Lax' },
  )

  t.test('an agent who is logged in there already gets in without a form', async t => {
    await context.clearCookies({ domain: names.gateway })
    const tab = await context.newPage()
    await tab.goto(`${publicUrl}/tickets/8`)
    await tab.getByRole('heading', { name: 'jane@example.com' }).waitFor()
    t.equal(tab.url(), `${publicUrl}/tickets/8`)
  })
})
