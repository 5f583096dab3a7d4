// The secret of a JWT provider is rotated while agents log in and work: two gateways take both secrets one after the other,
// the provider switches, the old one goes. No login fails, no request fails, and nobody is logged out.

import t from 'tap'
import { createSecret } from '../../src/core/secret.js'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, type IdentityProvider, logIn } from '../parts/identity-provider.js'
import { createPortal } from '../parts/jwt-provider.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { forged, hmac } from '../parts/tokens.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const [old, next] = [
  'the old secret of the portal, long enough for it',
  'the new secret of the portal, long enough for it',
]

t.test('a provider takes every secret of its list, and none that is not there', async t => {
  const portals = {
    old: createPortal({ secrets: [createSecret(old)] }),
    both: createPortal({ secrets: [createSecret(next), createSecret(old)] }),
    next: createPortal({ secrets: [createSecret(next)] }),
  }
  const accepts = async (portal: keyof typeof portals, key: string) =>
    (await portals[portal].accept(forged({ alg: 'HS256' }, portals[portal].claims(), hmac(key)))).reason ?? 'in'
  t.equal(await accepts('old', old), 'in')
  t.equal(await accepts('both', old), 'in')
  t.equal(await accepts('both', next), 'in')
  t.equal(await accepts('next', next), 'in')
  t.equal(await accepts('old', next), 'jwt.signature_invalid')
  t.equal(await accepts('next', old), 'jwt.signature_invalid')
})

t.test('a rotation under load, gateway by gateway', { skip: missingParts('redis') }, async t => {
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk()])
  t.teardown(redis.stop)
  t.teardown(desk.close)
  const portalOf = (secret: string) => createIdentityProvider({ publicUrl, clock: systemClock, secret })
  const start = (secrets: string[]) =>
    startInProcessGateway({
      publicUrl,
      log: { level: 'info', access: false },
      secrets: ['the key ring of the rotation, which is long enough'],
      desk: { url: desk.url },
      providers: [{ ...portalOf(old).settings.portal, secrets }],
      agents: [{ domains: ['example.com'] }],
      sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    })

  const gateways = await Promise.all([start([old]), start([old])])
  let signer: IdentityProvider = portalOf(old)
  /** What a load balancer sends to: every replica that is not being replaced. */
  let serving: InProcessGateway[] = [...gateways]
  const failures: string[] = []
  const inside: UserAgent[] = []
  let turns = 0
  let over = false

  const someone = () => serving[turns++ % serving.length] as InProcessGateway
  const turn = async () => {
    const agent = createUserAgent(publicUrl, someone())
    const email = `agent${turns}@example.com`
    const page = await logIn(agent, signer, {
      way: 'portal',
      email,
      asked: { at: someone() },
      finish: { at: someone() },
    })
    if (page.status !== 303) failures.push(`login: ${page.status} ${page.reason}`)
    else inside.push(agent)
    const one = inside[turns % inside.length]
    const work = await one?.visit('/tickets', { at: someone() })
    if (work?.status !== 200) failures.push(`request: ${work?.status}`)
  }
  const flights = new Set<Promise<void>>()
  const load = Array.from({ length: 3 }, async () => {
    while (!over) {
      const flight: Promise<void> = turn().catch(error => void failures.push(String(error)))
      flights.add(flight)
      await flight
      flights.delete(flight)
    }
  })
  t.teardown(() => {
    over = true
  })
  const passed = async (more: number) => {
    const wanted = inside.length + more
    await until(() => inside.length >= wanted || failures.length > 0, 30_000)
  }
  /** One after the other, as a rolling update does: out of the balancer, replaced, in again. */
  const roll = async (secrets: string[]) => {
    for (const index of [0, 1]) {
      const leaving = gateways[index] as InProcessGateway
      serving = gateways.filter(gateway => gateway !== leaving)
      // A request that has chosen it already may finish, as at a load balancer.
      await Promise.all(flights)
      const fresh = await start(secrets)
      gateways[index] = fresh
      serving = [...gateways]
      await leaving.close()
    }
  }
  t.teardown(() => Promise.all(gateways.map(gateway => gateway.close())))

  await passed(6)
  await roll([old, next])
  signer = portalOf(next)
  await passed(10)
  await roll([next])
  await passed(6)
  over = true
  await Promise.all(load)
  t.strictSame(failures, [], 'no login and no request fails')
  t.ok(inside.length > 30)
  const still = await Promise.all(inside.map(agent => agent.fetch('/auth/session', { at: someone() })))
  t.ok(
    still.every(({ status }) => status === 200),
    'nobody is logged out',
  )
  const late = await portalOf(old).jwt('late@example.com')
  t.match(await createUserAgent(publicUrl, someone()).postCrossSite(late.path, late.fields), {
    reason: 'jwt.signature_invalid',
  })
})
