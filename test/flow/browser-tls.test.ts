// Logins as in production: gateway, identity provider and Desk on three different sites over TLS, so that the hand-over
// is really cross-site and the browser holds the __Host- cookies to their rules.

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Agent, fetch as undiciFetch } from 'undici'
import { loadConfig } from '../../src/config/load.js'
import { systemClock, systemRandom } from '../../src/core/clock.js'
import { createDemoDesk } from '../../src/demo/desk.js'
import { agentsFile, people } from '../../src/demo/people.js'
import { choosePorts } from '../../src/demo/ports.js'
import { createLog } from '../../src/ops/log.js'
import { startServer } from '../../src/server.js'
import { openBrowser, screenshot, type Visit } from '../parts/browser.js'
import { type Authority, createAuthority } from '../parts/certificates.js'
import { createTestIdp } from '../parts/demo-idp.js'
import { missing } from '../parts/parts.js'

const sites = { gateway: 'desk.alpha.test', idp: 'login.beta.test', desk: 'internal.gamma.test' }
const local = '127.0.0.1'

/** The three servers on free ports; the gateway from a configuration file, as an operator starts it. */
async function startSites(authority: Authority) {
  const [port, idpPort, deskPort] = await choosePorts(0, local)
  const publicUrl = `https://${sites.gateway}:${port}`
  const origin = `https://${sites.idp}:${idpPort}`
  const deskUrl = `https://${local}:${deskPort}`
  const ownTls = await authority.issue([sites.gateway, local])
  const idp = createTestIdp({ origin, publicUrl, entityId: 'three-sites', tls: await authority.issue([sites.idp]) })
  // Desk reads the gateway's keys over TLS too, and trusts only the test's authority.
  const dispatcher = new Agent({ connect: { ca: authority.cert } })
  const desk = createDemoDesk({
    jwksUrl: `https://${local}:${port}/auth/jwks.json`,
    issuer: publicUrl,
    audience: deskUrl,
    clock: systemClock,
    fetch: async url => new Response(await (await undiciFetch(url, { dispatcher })).text()),
    tls: await authority.issue([sites.desk]),
  })
  const folder = dirname(authority.certFile)
  await writeFile(join(folder, 'idp.crt'), idp.signing.certificate)
  await writeFile(join(folder, 'agents.yaml'), agentsFile(people))
  const saml = { id: 'corp', type: 'saml', name: 'Corp', issuer: origin, certificates: ['idp.crt'] }
  const jwt = {
    id: 'portal',
    type: 'jwt',
    name: 'Portal',
    issuer: origin,
    secrets: [idp.jwtSecret],
    requireState: true,
  }
  const settings = {
    publicUrl,
    listen: `${local}:${port}`,
    tls: { cert: ownTls.certFile, key: ownTls.keyFile },
    site: 'three-sites',
    desk: { url: deskUrl, tls: { ca: authority.certFile, serverName: sites.desk }, public: ['GET /assets/*'] },
    providers: [
      {
        ...saml,
        loginUrl: `${origin}/saml/sso`,
        logoutUrl: `${origin}/logout`,
        attributes: { name: 'displayName', roles: 'groups' },
      },
      { ...jwt, loginUrl: `${origin}/jwt/login`, logoutUrl: `${origin}/logout` },
    ],
    agents: [{ file: 'agents.yaml' }],
    ops: { listen: `${local}:0` },
    log: { level: 'silent' },
    audit: { to: '/dev/null' },
    drain: '1s',
  }
  const file = join(folder, 'deskgate.yaml')
  await writeFile(file, JSON.stringify(settings))
  const loaded = await loadConfig(file, {})
  if (!('config' in loaded)) throw new Error(JSON.stringify(loaded.problems))
  await idp.app.listen({ host: local, port: idpPort })
  await desk.listen({ host: local, port: deskPort })
  const log = createLog({ level: 'silent' })
  const server = await startServer(loaded.config, { clock: systemClock, random: systemRandom, log })
  const close = async () => {
    await Promise.all([idp.app.close(), desk.close()])
    await server.close()
    await dispatcher.close()
  }
  return { publicUrl, origin, close }
}

const login = async ({ page }: Visit, way: string, person: string) => {
  const name = `Login with ${way}`
  await page.getByRole('link', { name }).or(page.getByRole('button', { name })).click()
  await page.getByRole('button', { name: person }).click()
}

t.test('three sites over TLS', { skip: missing('chromium', 'openssl') }, async t => {
  const authority = await createAuthority()
  const { publicUrl, origin, close } = await startSites(authority)
  const hosts = { [sites.gateway]: local, [sites.idp]: local }
  const browser = await openBrowser({ hosts, trust: [authority.spki] })
  t.teardown(async () => {
    await browser.close()
    await close()
    await authority.remove()
  })

  for (const [way, person] of [
    ['Corp', 'João Silva'],
    ['Portal', 'Maya Okafor'],
  ] as const) {
    t.test(`${person} logs in with ${way}, works, logs out and is stopped`, async t => {
      const visit = await browser.visit()
      t.teardown(visit.close)
      const { page, context } = visit
      await page.goto(`${publicUrl}/tickets/1047?from=mail`)
      await login(visit, way, person)
      await page.getByText('Change of name on a voucher').waitFor()
      t.equal(page.url(), `${publicUrl}/tickets/1047?from=mail`)
      await page.getByText(`Here now: ${person}`).waitFor()
      await screenshot(page, `three-sites-${way}`)

      const cookies = await context.cookies(publicUrl)
      const session = cookies.find(cookie => cookie.name === '__Host-deskgate')
      t.match(session, { secure: true, httpOnly: true, sameSite: 'Lax', path: '/', domain: sites.gateway })

      await page.getByRole('button', { name: 'Log out' }).click()
      await page.getByText('You are logged out').waitFor()
      t.equal(new URL(page.url()).origin, origin, "at the provider's Remote logout URL")
      t.notOk((await context.cookies(publicUrl)).some(cookie => cookie.name === '__Host-deskgate'))
      await page.goto(publicUrl)
      await page.getByText('Login with Corp').waitFor()
      t.strictSame(visit.complaints, [])
    })
  }

  t.test('a token that this browser did not ask for is refused where state is required', async t => {
    const visit = await browser.visit()
    t.teardown(visit.close)
    await visit.page.goto(`${origin}/jwt/login`)
    await visit.page.getByRole('button', { name: 'Maya Okafor' }).click()
    await visit.page.getByText('jwt.state_mismatch').waitFor()
    t.notOk((await visit.context.cookies(publicUrl)).some(cookie => cookie.name === '__Host-deskgate'))
  })
})
