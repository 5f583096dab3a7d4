// Ten tabs of one browser log in at once, at two gateways that share a Redis, behind a load balancer that knows of no
// sessions: every request goes to the other one. Ten times in a row, every tab ends on its own page.

import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { startSwitch } from '../parts/load-balancer.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'

const here = '127.0.0.1'
const names = { gateway: 'desk.acme.test', idp: 'idp.other.test' }
const icon = '<link rel=icon href=data:,>'

/** Two gateways behind a switch over TLS, and on another site a provider whose page posts its answer by itself. */
async function start() {
  const port = await freePort()
  const url = `https://${names.gateway}:${port}`
  const own = createIdentityProvider({ publicUrl: url, clock: systemClock })
  const [authority, redis, desk, idp] = await Promise.all([
    createAuthority(),
    startRedis({ process: 'any' }),
    startDesk(),
    startHttpServer((request, response) => {
      const { path, fields } = own.saml('ada@example.com', `http://${names.idp}${request.url}`)
      const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`)
      response.setHeader('content-type', 'text/html')
      response.end(`${icon}<form method=post action="${url}${path}">${inputs.join('')}</form>
        <script>document.forms[0].submit()</script>`)
    }),
  ])
  desk.onRequest((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`${icon}<h1>${request.url}</h1><p>${request.headers['x-agent-email']}</p>`)
  })
  const settings = {
    publicUrl: url,
    site: names.gateway,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [{ ...own.settings.corp, loginUrl: idp.url.replace(here, names.idp) }],
    agents: [{ domains: ['example.com'] }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
  }
  // A process that is both gateways, provider and Desk, beside a browser, may be slow to hear from Redis.
  const how = { files: { 'idp.crt': own.certificate }, storeTimeout: 20_000 }
  const gateways = await Promise.all([startInProcessGateway(settings, how), startInProcessGateway(settings, how)])
  const tls = await authority.issue([names.gateway])
  const balancer = await startSwitch(
    gateways.map(gateway => gateway.port),
    { port, tls },
  )
  const hosts = { [names.gateway]: here, [names.idp]: here }
  // Else every tab gets a new process each time that it comes to the other site.
  const more = ['--process-per-site']
  const browser = await startChromium({ hosts, trust: [authority.spki], more })
  return {
    ...{ url, balancer, browser, gateways },
    async close() {
      await browser.close()
      await balancer.close()
      await Promise.all(gateways.map(gateway => gateway.close()))
      await Promise.all([idp.close(), desk.close(), redis.stop(), authority.remove()])
    },
  }
}

t.test('ten tabs, two replicas, ten rounds', { skip: missingParts('chromium', 'openssl', 'redis') }, async t => {
  const { url, balancer, browser, gateways, close } = await start()
  t.teardown(close)
  const { context, page, complaints } = await browser.newProfile()
  const tabs = [page, ...(await Promise.all(Array.from({ length: 9 }, () => context.newPage())))]
  const own = (round: number, tab: number) => `/tickets/${round}/${tab}?view=mine`

  for (let round = 1; round <= 10; round++) {
    await context.clearCookies()
    const ends = await Promise.all(
      tabs.map(async (one, tab) => {
        // Interrupted by the page that posts itself, it still gets there: where it ends is what counts.
        await one.goto(url + own(round, tab), { waitUntil: 'commit', timeout: 60_000 })
        await one.waitForURL(`${url}/**`, { waitUntil: 'load', timeout: 60_000 })
        await one.locator('h1').waitFor({ timeout: 60_000 })
        return `${one.url().slice(url.length)} shows ${await one.locator('body').innerText()}`
      }),
    )
    t.same(
      ends,
      tabs.map((_, tab) => `${own(round, tab)} shows ${own(round, tab)}\n\nada@example.com`),
      `round ${round}`,
    )
    const sessions = (await context.cookies(url)).filter(({ name }) => name === '__Host-deskgate')
    t.equal(sessions.length, 1, 'one session')
  }

  t.same(complaints, [])
  for (const [replica, served] of balancer.served.entries()) {
    const answers = served.filter(one => one === 'POST /auth/saml/acs').length
    t.ok(answers > 10, `replica ${replica} has taken ${answers} answers`)
  }
  const refused = gateways.flatMap(({ lines }) => lines.filter(({ msg }) => msg === 'login refused'))
  t.same(refused, [])
})
