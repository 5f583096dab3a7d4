// An IdP changes its certificate while agents work: no login fails, no request fails, nothing restarts. And a gateway
// starts while the IdP is down.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { startGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { idpMetadata } from '../parts/idp-metadata.js'
import { startLoad } from '../parts/load.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { newSigningKey } from '../parts/saml-idp.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const old = newSigningKey('old')
const next = newSigningKey('next')
const evil = newSigningKey('evil')

t.test('a rollover under load, and a start without the IdP', { skip: missingParts('redis') }, async t => {
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk()])
  t.teardown(redis.stop)
  t.teardown(desk.close)
  let published = idpMetadata([old.certificate])
  const site = await startHttpServer((_request, response) => void response.end(published))
  t.teardown(site.close)
  const issuer = 'https://plant.example.com'
  const plantOf = (certificates: string[]) => idpMetadata(certificates, { entityId: issuer })
  const idps = {
    corp: createIdentityProvider({ publicUrl, clock: systemClock }),
    plant: createIdentityProvider({ publicUrl, clock: systemClock, issuer }),
  }
  const settings = {
    publicUrl,
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0' },
    log: { level: 'info', access: false },
    secrets: ['the key ring of the rollover, which is long enough'],
    desk: { url: desk.url },
    providers: [
      { id: 'corp', type: 'saml', name: 'Corp', metadata: `${site.url}/metadata` },
      { id: 'plant', type: 'saml', name: 'Plant', metadata: 'plant.xml' },
    ],
    agents: [{ domains: ['example.com'] }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
  }
  const files = { 'plant.xml': plantOf([old.certificate]) }
  const gateway = await startGateway(settings, { files })
  t.teardown(gateway.stop)

  let count = 0
  const logIn = async (at: { port: number }, signing: typeof old, way: keyof typeof idps = 'corp') => {
    const agent = createUserAgent(publicUrl, { port: at.port })
    const start = await agent.visit(`/auth/login/${way}?return_to=/`)
    const answer = idps[way].saml(`agent${++count}@example.com`, start.location, { signing })
    const { status, reason } = await agent.postCrossSite(answer.path, answer.fields)
    return { agent, outcome: status === 303 ? 'in' : `${status} ${reason}` }
  }

  await until(async () => (await createUserAgent(publicUrl, gateway).visit('/auth/login/corp')).status === 302)
  const { agent, outcome } = await logIn(gateway, old)
  t.equal(outcome, 'in')
  const headers = { host: 'desk.example.com', cookie: agent.cookieHeader('/') }
  const load = startLoad({ origin: gateway.url, path: '/tickets', headers, perSecond: 200 })
  const outcomes: string[] = []
  const phase = async (certificates: string[], signers: (typeof old)[]) => {
    published = idpMetadata(certificates)
    await writeFile(join(gateway.folder, 'plant.xml'), plantOf(certificates))
    for (const signing of signers) {
      outcomes.push((await logIn(gateway, signing)).outcome, (await logIn(gateway, signing, 'plant')).outcome)
    }
  }
  const refuses = (signing: typeof old) =>
    until(async () => (await logIn(gateway, signing, 'plant')).outcome === '400 saml.signature_invalid', 20_000)
  await phase([old.certificate], [old, old])
  await phase([old.certificate, next.certificate], [old, next, old, next])
  await phase([next.certificate], [next, next])
  await refuses(old)
  await phase([next.certificate], [next])
  await until(() => load.times.length >= 600, 60_000)
  await load.stop()
  t.strictSame(outcomes, Array(18).fill('in'), 'no login fails')
  t.strictSame(load.failures, [], 'no request fails')
  t.equal(gateway.lines.filter(({ msg }) => msg === 'listening').length, 1, 'nothing restarts')
  t.equal(gateway.child.exitCode, null)

  t.equal(await gateway.stop(), 0)
  await site.close()
  const again = await startGateway(settings, { files })
  t.teardown(again.stop)
  await again.line(({ msg }) => /using the stored copy/.test(msg ?? ''))
  t.equal((await logIn(again, next)).outcome, 'in', 'the IdP is down, and logins go on')
  t.equal((await logIn(again, evil)).outcome, '400 saml.signature_invalid', "by the IdP's keys only")
  const line = await again.line(({ error }) => /metadata/.test(String(error)))
  t.match(line, { level: 'warn', provider: 'corp' }, 'and it says that it could not be read')
})
