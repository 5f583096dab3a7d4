// The broken responses in files/, one by one: posted to a gateway by the browser that has the login under way, and given
// to `deskgate explain`. Each is refused for its own reason, and none of them spoils the real answer.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { type ExplainOptions, explain } from '../../../src/cli/commands/explain.js'
import type { Clock } from '../../../src/core/clock.js'
import { statusOf } from '../../../src/core/reasons.js'
import { createKeyring } from '../../../src/keys/keyring.js'
import { systemRandom } from '../../../src/runtime/clock.js'
import { createAttempts } from '../../../src/web/login/attempts.js'
import { createCookies, serializeCookie } from '../../../src/web/request/cookies.js'
import { type InProcessGateway, startInProcessGateway } from '../../parts/gateway.js'
import { acsPath, publicUrl } from '../../parts/interop-gateway.js'
import { attempt } from '../../parts/saml-idp.js'
import { createUserAgent, type UserAgent } from '../../parts/user-agent.js'
import { clock, folder } from './attack.js'
import { type Chosen, files } from './chosen.js'
import { attackFiles, good, index } from './write.js'

/** A login under way whose ID the test chooses: sealed with the gateway's own secret, as the gateway would have done. */
interface SealedAttempt {
  /** 16 bytes, base64url. */
  id: string
  provider: string
  returnTo: string
}

/** The Set-Cookie value. */
function attemptCookie(
  { id, provider, returnTo }: SealedAttempt,
  gateway: { publicUrl: string; secrets: string[]; clock: Clock },
): string {
  const { publicUrl, secrets, clock } = gateway
  const keyring = createKeyring(secrets, { random: systemRandom })
  const attempts = createAttempts({ keyring, clock, random: () => Buffer.from(id, 'base64url') })
  const cookies = createCookies({ publicUrl, prefix: '/auth' })
  const { attempt, setCookies } = attempts.begin({ cookies, header: undefined }, provider, returnTo)
  const [cookie] = setCookies
  if (attempt.id !== id || cookie === undefined) throw new Error(`${id} is no ID that a gateway makes`)
  return serializeCookie(cookie)
}

const at = new Date(clock.now()).toISOString()
const adminToken = 'the-admin-token-of-the-attack-files-long-enough'

interface Row {
  file: string
  reason: Chosen['attack']['reason']
  check: string
  config: string
  onlyLive?: boolean
}
const rows = parse(await readFile(join(folder, index), 'utf8')) as Row[]

/** The form field as a browser would post it. */
async function messageIn(file: string): Promise<string> {
  const bytes = await readFile(join(folder, file))
  return file.endsWith('.xml') ? bytes.toString('base64') : bytes.toString('utf8').trim()
}

async function openGateway(t: Test, config: string): Promise<InProcessGateway> {
  const settings = parse(await readFile(join(folder, config), 'utf8'))
  const certificate = await readFile(join(folder, 'idp.crt'), 'utf8')
  const own = { ...settings, ops: { adminToken } }
  const gateway = await startInProcessGateway(own, { clock, files: { 'idp.crt': certificate } })
  t.teardown(gateway.close)
  return gateway
}

/** A browser with the one login under way that the responses answer. */
async function begun(gateway: InProcessGateway, config: string): Promise<UserAgent> {
  const { secrets } = parse(await readFile(join(folder, config), 'utf8'))
  const agent = createUserAgent(publicUrl, { port: gateway.port })
  agent.take(attemptCookie({ id: attempt.id, provider: 'corp', returnTo: '/tickets/7' }, { publicUrl, secrets, clock }))
  return agent
}

async function explained(reference: string | undefined, options: ExplainOptions, env: Record<string, string> = {}) {
  const lines: string[] = []
  const io = { env, out: (line: string) => void lines.push(line), err: () => {} }
  const code = await explain(reference, options, io)
  const failed = lines.flatMap(line => /^ {2}FAIL {2}(.+?)(?: {2}|$)/.exec(line)?.[1] ?? [])
  const verdict = lines.find(line => /^(refused|accepted): /.test(line))
  return { code, failed, verdict, text: lines.join('\n') }
}

t.test('the files are what the tables make today (npm run generate)', async t => {
  const made = attackFiles()
  t.ok(files.length >= 40)
  for (const [name, bytes] of made) t.ok(bytes.equals(await readFile(join(folder, name))), name)
})

t.test('no message stands there without the reason and the check that it is refused for', async t => {
  const there = (await readdir(folder)).filter(name => /\.(?:xml|txt)$/.test(name))
  t.strictSame(there.sort(), [good, ...rows.map(({ file }) => file)].sort())
})

t.test('explain --saml names the check', async t => {
  for (const { file, reason, check, config, onlyLive } of rows) {
    const found = await explained(undefined, { config: join(folder, config), saml: join(folder, file), at })
    if (onlyLive) t.match(found, { code: 0, failed: [], verdict: /^accepted: / }, file)
    else t.match(found, { code: 1, failed: [check], verdict: `refused: ${reason}` }, file)
  }
  const found = await explained(undefined, { config: join(folder, 'deskgate.yaml'), saml: join(folder, good), at })
  t.match(found, { code: 0, failed: [], verdict: 'accepted: jane@example.com' })
})

/** A provider that sends everything to one address sends this to the ACS. */
const logoutMessage = 'logout-response.xml'
/** So many that no limit on refused logins of one address is met. */
const atOnce = 40
const configs = [...new Set(rows.map(({ config }) => config))]
const parts = configs.flatMap(config => {
  const own = rows.filter(row => row.config === config)
  return Array.from({ length: Math.ceil(own.length / atOnce) }, (_, part) => own.slice(part * atOnce).slice(0, atOnce))
})

for (const part of parts) {
  const { config = '' } = part[0] ?? {}
  t.test(`posted to a gateway with ${config}, and explained by reference: ${part.length} files`, async t => {
    const gateway = await openGateway(t, config)
    const agent = await begun(gateway, config)
    for (const { file, reason, check } of part) {
      const page = await agent.postCrossSite(acsPath, { SAMLResponse: await messageIn(file), RelayState: attempt.id })
      if (file === logoutMessage) {
        // It is the logout's to answer, as at the logout address: it logs nobody in, and is not a refused login.
        t.match(page, { status: 303, location: '/auth/logged-out', reason: undefined, setCookies: [] }, file)
        continue
      }
      t.match(page, { status: statusOf(reason), reason, setCookies: [] }, file)
      const told = await explained(page.reference ?? '', { ops: gateway.opsUrl }, { DESKGATE_ADMIN_TOKEN: adminToken })
      t.match(told, { code: 0, failed: [check], verdict: `refused: ${reason}` }, file)
      t.notMatch(told.text, /SignatureValue|MII[A-Za-z0-9+/]{20}/, 'and shows nothing of the message itself')
    }
    if (config === 'email-attribute.yaml') return
    const answer = { SAMLResponse: await messageIn(good), RelayState: attempt.id }
    t.match(
      await agent.postCrossSite(acsPath, answer),
      { status: 303, location: '/tickets/7' },
      'the real answer is still good',
    )
    const thief = await begun(gateway, config)
    const page = await thief.postCrossSite(acsPath, answer)
    t.match(page, { status: 400, reason: 'saml.replayed' }, 'and is good once')
    const told = await explained(page.reference ?? '', { ops: gateway.opsUrl }, { DESKGATE_ADMIN_TOKEN: adminToken })
    t.strictSame(told.failed, ['not used before'])
  })
}

t.test('Attack: the real answer in a browser that holds no cookie of the login', async t => {
  const gateway = await openGateway(t, 'deskgate.yaml')
  const fields = { SAMLResponse: await messageIn(good), RelayState: attempt.id }
  const page = await createUserAgent(publicUrl, { port: gateway.port }).postCrossSite(acsPath, fields)
  t.match(page, { status: 400, reason: 'saml.in_response_to_unknown' })
  const told = await explained(page.reference ?? '', { ops: gateway.opsUrl }, { DESKGATE_ADMIN_TOKEN: adminToken })
  t.match(told, { failed: ['InResponseTo'], text: /seen +_\S+: the browser sent no login cookie/ })
})

t.test('Attack: a response of 5 MB is refused unread, in a moment', async t => {
  const gateway = await openGateway(t, 'deskgate.yaml')
  const agent = await begun(gateway, 'deskgate.yaml')
  const began = performance.now()
  const refused = await agent
    .postCrossSite(acsPath, { SAMLResponse: 'QUFB'.repeat(1_250_000), RelayState: attempt.id })
    .then(
      ({ status, reason }) => `${status} ${reason}`,
      // The gateway may hang up while the browser still sends.
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    )
  t.match(refused, /^(400 saml\.malformed|EPIPE|ECONNRESET)$/)
  t.ok(performance.now() - began < 10_000)
  const answer = { SAMLResponse: await messageIn(good), RelayState: attempt.id }
  t.match(await agent.postCrossSite(acsPath, answer), { status: 303, location: '/tickets/7' })
})
