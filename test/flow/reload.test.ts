// Operators change keys, secrets and rules while agents work: all four kinds of keys are rotated in three steps, and ten
// reloads, two of them with a broken file, cost nobody a request, a connection or a login. What an old key made holds until
// that key is taken out, and what is made after the rotation is made with the new one.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { encryptedByHand, withEncryptedId } from '../parts/encryption.js'
import { type LogLine, startGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider, type IdentityProvider, type Way } from '../parts/identity-provider.js'
import {
  certificates,
  keyFiles,
  keySettings,
  portalSecrets,
  type Ring,
  ringOf,
  signerOf,
} from '../parts/key-rotation.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { echoIdentity, type SteadyAgent, startSteadyAgents } from '../parts/steady-agents.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const token = 'the admin token of the reloads, which is long enough'
const perSecond = 300
const patience = 60_000
/** Requests that are answered between one change and the next: a third of a second. */
const between = perSecond / 3
const idp = createIdentityProvider({ publicUrl, clock: systemClock, secret: portalSecrets.old })
const later = createIdentityProvider({ publicUrl, clock: systemClock, secret: portalSecrets.new })
const people = ['ada', 'ben', 'eve', 'fay'].map(name => `${name}@example.com`)
const agents = people.map(email => `- { email: ${email} }\n`).join('')

async function start(t: Test) {
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk()])
  t.teardown(redis.stop)
  t.teardown(desk.close)
  echoIdentity(desk)
  const settings = (ring: Ring, changes: Record<string, unknown> = {}) => ({
    publicUrl,
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0', probes: '127.0.0.1:0', adminToken: { file: 'token' } },
    log: { level: 'info', access: false },
    audit: { to: ['stdout', 'audit.log'] },
    desk: { url: desk.url },
    agents: [{ file: 'agents.yaml' }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix }, nearCache: '1s' },
    ...keySettings(ring, idp.settings),
    ...changes,
  })
  const files = { ...keyFiles, token, 'agents.yaml': agents, 'idp.crt': idp.certificate }
  const gateway = await startGateway(settings(['old']), { files })
  t.teardown(gateway.stop)
  const { probes = '' } = (await gateway.line(({ msg }) => msg === 'listening')) as LogLine & { probes?: string }
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(gateway.opsUrl + path, { method, headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: await answer.text() }
  }
  const write = (text: unknown) =>
    writeFile(gateway.file, typeof text === 'string' ? text : JSON.stringify(text, null, 2))
  const newAgent = () => createUserAgent(publicUrl, gateway)

  return {
    ...{ desk, gateway, settings, ask, write, newAgent },
    async reload(text: unknown) {
      await write(text)
      const { status, body } = await ask('/api/reload', 'POST')
      return { status, ...JSON.parse(body) }
    },
    /** What has changed by it, also where the gateway has looked at the file before it was asked to. */
    async take(text: unknown) {
      const from = gateway.lines.length
      await write(text)
      const { status } = await ask('/api/reload', 'POST')
      const taken = () => gateway.lines.slice(from).find(({ msg }) => msg === 'configuration changed')
      await until(() => status !== 200 || taken() !== undefined, patience)
      return { status, changed: (taken()?.changed ?? []) as string[] }
    },
    probe: async () => (await fetch(`${probes}/ready`)).json(),
    said: (message: RegExp) => gateway.lines.filter(({ msg }) => message.test(msg ?? '')).length,
    keys: async () => JSON.parse((await newAgent().fetch('/auth/jwks.json')).body) as JSONWebKeySet,
    metadata: async () => (await newAgent().fetch('/auth/saml/corp/metadata')).body.replaceAll(/\s/g, ''),
    async logIn(by: IdentityProvider, email: string, way: Way = 'portal', encryptTo?: string) {
      const agent = newAgent()
      const encrypt = (certificate: string) => ({
        change: { before: (xml: string) => withEncryptedId(xml, id => encryptedByHand(id, certificate)) },
      })
      const { path, fields } = await begin(agent, by, { way, email, ...(encryptTo ? encrypt(encryptTo) : {}) })
      const { status, reason } = await agent.postCrossSite(path, fields)
      return { agent, outcome: status === 303 ? 'in' : `${status} ${reason}` }
    },
  }
}

type Ground = Awaited<ReturnType<typeof start>>

/** How logins with NameIDs that are encrypted to the old and to the new SP key end. */
async function encrypted({ logIn }: Ground): Promise<string[]> {
  const outcomes: string[] = []
  for (const to of [certificates.old, certificates.new]) {
    outcomes.push((await logIn(idp, 'ben@example.com', 'corp', to)).outcome)
  }
  return outcomes
}

/** How logins with tokens of the old and of the new shared secret end. */
async function tokens({ logIn }: Ground): Promise<string[]> {
  const outcomes: string[] = []
  for (const by of [idp, later]) outcomes.push((await logIn(by, 'ben@example.com')).outcome)
  return outcomes
}

const requestSigner = async ({ newAgent }: Ground) => signerOf((await newAgent().visit('/auth/login/corp')).location)

/** The ID of the key that signs for this agent now. */
async function kidFor({ agent }: SteadyAgent): Promise<string | undefined> {
  const told = JSON.parse((await agent.fetch('/tickets')).body) as { assertion: string[] }
  return decodeProtectedHeader(told.assertion[0] ?? '').kid
}

/** In the SP metadata, in the order of the ring. */
const inMetadata = (text: string) =>
  (['old', 'new'] as const).filter(name => text.includes(certificates[name].split('\n').slice(1, -2).join('')))

t.test('ten reloads and four rotations at 300 requests a second', { skip: missingParts('redis') }, async t => {
  const ground = await start(t)
  const { gateway, settings, reload, take, ask, probe, said, keys, logIn } = ground
  const workers: SteadyAgent[] = []
  for (const [index, email] of people.entries()) {
    const { agent, outcome } = await logIn(idp, email, index % 2 ? 'corp' : 'portal')
    t.equal(outcome, 'in')
    workers.push({ email, agent })
  }
  const [ada = { email: '', agent: ground.newAgent() }, ...others] = workers
  const [oldKid] = (await keys()).keys.map(({ kid }) => kid)
  const work = startSteadyAgents({ origin: gateway.url, issuer: publicUrl, workers: [ada, ...others], perSecond })
  t.teardown(work.load.stop)
  await work.load.more(between)

  // 1: the new keys are announced. Nothing uses them yet, and all that they make is taken.
  const announced = await take(settings(['old', 'new']))
  t.equal(announced.status, 200)
  for (const key of ['secrets', 'identity.assertion.keys', 'providers[0].otherKeys', 'providers[1].secrets']) {
    t.ok(
      announced.changed.some(one => one.startsWith(key)),
      `${key} is among what changed`,
    )
  }
  t.equal((await keys()).keys.length, 2, 'Desk can fetch the new key before it signs')
  t.equal(await kidFor(ada), oldKid)
  t.equal(await requestSigner(ground), 'old')
  t.same(inMetadata(await ground.metadata()), ['old', 'new'], 'the identity provider can fetch the new certificate')
  t.same([await encrypted(ground), await tokens(ground)].flat(), ['in', 'in', 'in', 'in'])
  const early = ground.newAgent()
  const sealedByOld = await begin(early, idp, { way: 'corp', email: 'ben@example.com' })
  await work.load.more(between)

  // 2: broken.
  const broken = await reload('publicUrl: https://desk.example.com\nlisten: 127.0.0.1:1\nnonsense: 1\n')
  t.match(broken, { status: 422, title: /the previous one is kept/ })
  const problems = broken.problems as { line: number; key: string; message: string }[]
  t.ok(problems.some(one => one.line === 3 && one.key === 'nonsense'))
  t.ok(problems.some(one => one.line === 2 && /cannot change/.test(one.message)))
  t.match(await probe(), { ready: true, state: 'serving', config: 'rejected', problems: [/deskgate\.yaml:\d+:\d+ /] })
  t.match((await ask('/metrics')).body, /^deskgate_config_rejected 1$/m)
  await work.load.more(between)

  // 3: they sign and seal; by signal.
  const before = said(/configuration changed/)
  await ground.write(settings(['new', 'old']))
  gateway.child.kill('SIGHUP')
  await until(() => said(/configuration changed/) > before, patience)
  t.match(await probe(), { ready: true, config: 'current' })
  t.match((await ask('/metrics')).body, /^deskgate_config_rejected 0$/m)
  const newKid = await kidFor(ada)
  t.not(newKid, oldKid, 'the new key signs, for a session that was there before')
  t.same((await keys()).keys[0]?.kid, newKid)
  t.equal(await requestSigner(ground), 'new')
  t.equal(
    (await early.postCrossSite(sealedByOld.path, sealedByOld.fields)).status,
    303,
    'a login that the old ring sealed ends',
  )
  t.same([await encrypted(ground), await tokens(ground)].flat(), ['in', 'in', 'in', 'in'])
  const gus = await logIn(later, 'fay@example.com')
  await work.load.more(between)
  t.same([...(await work.verifies(t, await keys(), Date.now()))].sort(), [oldKid, newKid].sort())

  // 4: a secret that is not there.
  const missingSecret = await reload(settings(['new', 'old'], { secrets: [{ file: 'ring-lost' }] }))
  t.match(missingSecret, { status: 422, problems: [{ key: 'secrets[0]', message: /does not exist/ }] })
  t.equal((await tokens(ground))[1], 'in', 'the one before goes on')

  // 5: the old ones go, but for the ring: sessions that it vouches for are still alive.
  const secrets = ringOf(['new', 'old'])
  t.match(await take(settings(['new'], { secrets })), { status: 200 })
  t.same(
    (await keys()).keys.map(({ kid }) => kid),
    [newKid, oldKid],
    'the previous key stays',
  )
  t.ok((await work.verifies(t, await keys(), Date.now())).has(oldKid ?? ''), 'as long as its assertions live')
  t.same(await tokens(ground), ['400 jwt.signature_invalid', 'in'], 'the old secret is no good any more')
  t.same(await encrypted(ground), ['400 saml.decryption_failed', 'in'])
  t.same(inMetadata(await ground.metadata()), ['new'])
  await work.load.more(between)

  // 6: a file that the configuration names; nobody says anything.
  t.equal((await logIn(later, 'carla@example.com')).outcome, '403 agent.unknown')
  await writeFile(join(gateway.folder, 'agents.yaml'), `${agents}- { email: carla@example.com }\n`)
  await gateway.line(({ cause, changed }) => cause === 'file' && String(changed) === 'agents[0].file')
  t.equal((await logIn(later, 'carla@example.com')).outcome, 'in')

  // 7 to 10.
  for (const timeout of ['50s', '51s', '52s', '53s']) {
    const result = await take(settings(['new'], { secrets, desk: { url: ground.desk.url, timeout } }))
    t.match(result, { status: 200, changed: ['desk.timeout'] })
    await work.load.more(between)
  }

  const dropped = work.load.closed()
  await work.end(t)
  t.equal(dropped, 0, 'no connection was dropped')
  tellsNoSecret(t, gateway)

  // Afterwards, to see which ring had vouched for what: without the old one its sessions end, and only they.
  t.match(await take(settings(['new'])), { status: 200, changed: [/^secrets/, /timeout/] })
  await until(async () => (await ada.agent.fetch('/tickets')).status === 401, patience)
  t.equal(
    (await gus.agent.fetch('/tickets')).status,
    200,
    'what was made after the rotation was made with the new ring',
  )
})

function tellsNoSecret(t: Test, { lines, stderr }: Pick<Ground['gateway'], 'lines' | 'stderr'>): void {
  const events = lines.filter(line => line.audit === true).map(({ event }) => event)
  for (const event of ['configuration_changed', 'configuration_rejected', 'keys_changed', 'login_refused', 'login']) {
    t.ok(events.includes(event), event)
  }
  const everything = lines.map(line => JSON.stringify(line)).join('\n') + stderr()
  const secrets = [token, portalSecrets.old, portalSecrets.new, keyFiles['ring-old'], keyFiles['ring-new']]
  for (const secret of secrets) t.notOk(everything.includes(secret), 'no secret is told')
}
