// Operators change keys, secrets and rules while agents work: all four kinds of keys are rotated in three steps, and ten
// reloads, two of them with a broken file, cost nobody a request, a connection or a login.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { systemClock } from '../../src/core/clock.js'
import { newSigningKey as newIdentityKey } from '../../src/sessions/signing-keys.js'
import { startDesk } from '../parts/desk.js'
import { encryptedByHand, withEncryptedId } from '../parts/encryption.js'
import { type Line, startGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider } from '../parts/identity-provider.js'
import { startLoad } from '../parts/load.js'
import { missing } from '../parts/parts.js'
import { startRedis } from '../parts/redis.js'
import { newSigningKey } from '../parts/saml-idp.js'
import { until } from '../parts/until.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const token = 'the admin token of the reloads, which is long enough'
const [spOld, spNew] = [newSigningKey('sp old'), newSigningKey('sp new')]
const [portalOld, portalNew] = [
  'the old secret of the portal, long enough',
  'the new secret of the portal, long enough',
]

const files = {
  token,
  'ring-old': 'the old key ring of the reloads, long enough',
  'ring-new': 'the new key ring of the reloads, long enough',
  'portal-old': portalOld,
  'portal-new': portalNew,
  'identity-old.key': newIdentityKey(),
  'identity-new.key': newIdentityKey(),
  'sp-old.key': spOld.key,
  'sp-old.crt': spOld.certificate,
  'sp-new.key': spNew.key,
  'sp-new.crt': spNew.certificate,
  'agents.yaml': '- { email: ada@example.com }\n- { email: ben@example.com }\n',
}

/** Which keys stand where, the first of each ring in use. */
type Ring = ('old' | 'new')[]

t.test('ten reloads and four rotations under load', { skip: missing('redis') }, async t => {
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk()])
  t.teardown(redis.stop)
  t.teardown(desk.close)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock, secret: portalOld })
  const later = createIdentityProvider({ publicUrl, clock: systemClock, secret: portalNew })
  const { corp, portal } = idp.settings
  const settings = (ring: Ring, changes: Record<string, unknown> = {}) => {
    const [now = 'old', ...others] = ring
    const pair = (name: string) => ({ key: `sp-${name}.key`, certificate: `sp-${name}.crt` })
    return {
      publicUrl,
      listen: '127.0.0.1:0',
      ops: { listen: '127.0.0.1:0', probes: '127.0.0.1:0', adminToken: { file: 'token' } },
      log: { level: 'info', access: false },
      audit: { to: ['stdout', 'audit.log'] },
      secrets: ring.map(name => ({ file: `ring-${name}` })),
      desk: { url: desk.url },
      providers: [
        { ...corp, ...pair(now), otherKeys: others.map(pair) },
        { ...portal, secrets: ring.map(name => ({ file: `portal-${name}` })) },
      ],
      agents: [{ file: 'agents.yaml' }],
      sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
      identity: { assertion: { keys: ring.map(name => `identity-${name}.key`) } },
      ...changes,
    }
  }
  const gateway = await startGateway(settings(['old']), { files: { ...files, 'idp.crt': idp.certificate } })
  t.teardown(gateway.stop)

  const write = (text: unknown) =>
    writeFile(gateway.file, typeof text === 'string' ? text : JSON.stringify(text, null, 2))
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(gateway.opsUrl + path, { method, headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: await answer.text() }
  }
  const reload = async (text: unknown) => {
    await write(text)
    const { status, body } = await ask('/api/reload', 'POST')
    return { status, ...JSON.parse(body) }
  }
  const said = (message: RegExp) => gateway.lines.filter(({ msg }) => message.test(msg ?? '')).length
  const byJwt = async (provider: typeof idp, email = 'ada@example.com') => {
    const agent = createUserAgent(publicUrl, gateway)
    const { path, fields } = await begin(agent, provider, { way: 'portal', email })
    const { status, reason } = await agent.handOver(path, fields)
    return { agent, outcome: status === 303 ? 'in' : `${status} ${reason}` }
  }
  const encryptedTo = async (certificate: string) => {
    const agent = createUserAgent(publicUrl, gateway)
    const change = { before: (xml: string) => withEncryptedId(xml, id => encryptedByHand(id, certificate)) }
    const { path, fields } = await begin(agent, idp, { way: 'corp', email: 'ben@example.com', change })
    const { status, reason } = await agent.handOver(path, fields)
    return status === 303 ? 'in' : `${status} ${reason}`
  }
  const kidsNow = async () => {
    const { body } = await createUserAgent(publicUrl, gateway).fetch('/auth/jwks.json')
    return JSON.parse(body) as { keys: { kid: string }[] }
  }
  const jwks: { keys: { kid: string }[] }[] = []
  const probe = async () => (await fetch(`${probesUrl}/ready`)).json()
  const { probes: probesUrl } = (await gateway.line(({ msg }) => msg === 'listening')) as Line & { probes: string }

  const { agent: ada, outcome } = await byJwt(idp)
  t.equal(outcome, 'in')
  jwks.push(await kidsNow())
  const headers = { host: 'desk.example.com', cookie: ada.cookieHeader('/') }
  const load = startLoad({ origin: gateway.url, path: '/tickets', headers, perSecond: 300 })
  t.teardown(load.stop)

  // 1: the new keys are announced.
  const announced = await reload(settings(['old', 'new']))
  t.match(announced, { status: 200 })
  const changed = ['secrets', 'providers[0].otherKeys', 'providers[1].secrets', 'identity.assertion.keys']
  t.same([...announced.changed].sort(), changed.sort())
  jwks.push(await kidsNow())
  t.equal(jwks[1]?.keys.length, 2, 'the next key is published before it signs')
  t.same([await encryptedTo(spOld.certificate), await encryptedTo(spNew.certificate)], ['in', 'in'])
  t.same([(await byJwt(idp)).outcome, (await byJwt(later)).outcome], ['in', 'in'])

  // 2: broken.
  const broken = await reload('publicUrl: https://desk.example.com\nlisten: 127.0.0.1:1\nnonsense: 1\n')
  t.match(broken, { status: 422, title: /the one before it goes on/ })
  t.ok(broken.problems.some((one: { line: number; key: string }) => one.line === 3 && one.key === 'nonsense'))
  t.ok(
    broken.problems.some(
      (one: { line: number; message: string }) => one.line === 2 && /cannot change/.test(one.message),
    ),
  )
  t.match(await probe(), { ready: true, state: 'serving', config: 'rejected', problems: [/deskgate\.yaml:\d+:\d+ /] })
  t.match((await ask('/metrics')).body, /^deskgate_config_rejected 1$/m)

  // 3: they sign and seal; by signal.
  const before = said(/configuration was changed/)
  await write(settings(['new', 'old']))
  gateway.child.kill('SIGHUP')
  await until(() => said(/configuration was changed/) > before, 30_000)
  t.match(await probe(), { ready: true, config: 'current' })
  t.match((await ask('/metrics')).body, /^deskgate_config_rejected 0$/m)
  jwks.push(await kidsNow())
  t.not(jwks[2]?.keys[0]?.kid, jwks[1]?.keys[0]?.kid)
  t.same([await encryptedTo(spOld.certificate), await encryptedTo(spNew.certificate)], ['in', 'in'])

  // 4: a secret that is not there.
  const missingSecret = await reload(settings(['new', 'old'], { secrets: [{ file: 'ring-lost' }] }))
  t.match(missingSecret, { status: 422, problems: [{ key: 'secrets[0]', message: /does not exist/ }] })
  t.equal((await byJwt(later)).outcome, 'in', 'the one before goes on')

  // 5: the old ones go, but for the ring: sessions that it vouches for are still alive.
  const secrets = [{ file: 'ring-new' }, { file: 'ring-old' }]
  t.match(await reload(settings(['new'], { secrets })), { status: 200 })
  jwks.push(await kidsNow())
  t.equal(jwks[3]?.keys.length, 2, 'the previous key stays until its assertions are dead')
  t.equal((await byJwt(idp)).outcome, '400 jwt.signature_invalid', 'the old secret is no good any more')
  t.equal((await byJwt(later)).outcome, 'in')
  t.same(
    [await encryptedTo(spOld.certificate), await encryptedTo(spNew.certificate)],
    ['400 saml.decryption_failed', 'in'],
  )

  // 6: a file that the configuration names; nobody says anything.
  t.equal((await byJwt(later, 'carla@example.com')).outcome, '403 agent.unknown')
  await writeFile(join(gateway.folder, 'agents.yaml'), `${files['agents.yaml']}- { email: carla@example.com }\n`)
  await gateway.line(({ cause, changed }) => cause === 'file' && String(changed) === 'agents[0].file')
  t.equal((await byJwt(later, 'carla@example.com')).outcome, 'in')

  // 7 to 10.
  for (const timeout of ['50s', '51s', '52s', '53s']) {
    const result = await reload(settings(['new'], { secrets, desk: { url: desk.url, timeout } }))
    t.match(result, { status: 200, changed: ['desk.timeout'] })
  }

  const visited = await ada.visit('/')
  const dropped = load.closed()
  await load.stop()
  t.same([...new Set(load.failures)], [])
  t.ok(load.times.length > 100, `${load.times.length} requests`)
  t.equal(dropped, 0, 'no connection was dropped')
  t.equal(visited.status, 200, 'nobody was logged out')

  const published = new Map(jwks.flatMap(one => one.keys.map(key => [key.kid, key])))
  const keys = createLocalJWKSet({ keys: [...published.values()] } as never)
  const kids = new Set<string>()
  const assertions = new Set(desk.seen.map(one => one.all('x-agent-assertion')[0] ?? ''))
  for (const assertion of assertions) {
    const { protectedHeader } = await jwtVerify(assertion, keys, { issuer: publicUrl })
    kids.add(protectedHeader.kid ?? '')
  }
  t.equal(kids.size, 2, 'assertions of the old and of the new key came, and each was published in time')

  const events = gateway.lines.filter(line => line.audit === true).map(({ event }) => event)
  for (const event of ['configuration_changed', 'configuration_rejected', 'keys_changed', 'login_refused', 'login']) {
    t.ok(events.includes(event), event)
  }
  const everything = gateway.lines.map(line => JSON.stringify(line)).join('\n') + gateway.stderr()
  for (const secret of [token, portalOld, portalNew, files['ring-old'], files['ring-new']]) {
    t.notOk(everything.includes(secret), 'no secret is told')
  }
})
