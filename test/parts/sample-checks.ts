// What every sample program has to show: one that signs logs an agent in at a running gateway; one that verifies takes
// that gateway's assertion, and refuses every forged, old or foreign one.

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import type { Test } from 'tap'
import { isOptional } from '../../scripts/parts.mjs'
import { systemClock } from '../../src/runtime/clock.js'
import { curveKey } from './configuration.js'
import { startDesk } from './desk.js'
import { startInProcessGateway } from './gateway.js'
import { createIdentityProvider, logIn } from './identity-provider.js'
import { type ProgramResult, runSample, type Sample } from './sample-programs.js'
import { ecdsa, encode, forged } from './tokens.js'
import { createUserAgent } from './user-agent.js'

export type SampleCheck = (t: Test, sample: Sample) => Promise<void>

const publicUrl = 'https://desk.example.com'
const name = 'Ada "Zoë" \\ Łoś'

async function startSampleGateway(
  t: Test,
  secret: string,
  more: Record<string, unknown>,
  files: Record<string, string>,
) {
  const desk = await startDesk()
  t.teardown(desk.close)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock, secret })
  const agents = [{ domains: ['example.com'] }]
  const settings = { publicUrl, desk: { url: desk.url }, providers: [idp.settings.portal], agents, ...more }
  const gateway = await startInProcessGateway(settings, { files })
  t.teardown(gateway.close)
  return { desk, idp, gateway, newAgent: () => createUserAgent(publicUrl, { port: gateway.port }) }
}

/** A gateway for samples that sign. */
export async function createSigningCheck(t: Test): Promise<SampleCheck> {
  const secret = randomBytes(32).toString('base64')
  const { desk, newAgent } = await startSampleGateway(t, secret, {}, {})
  return async (t, sample) => {
    const ran = await runSample(sample, ['ada@example.com', name], { PORTAL_SECRET: secret })
    if (tooLate(t, sample, ran)) return
    t.match(ran, { code: 0, said: '' })
    const agent = newAgent()
    const begun = await agent.visit('/auth/login/portal?return_to=/tickets/7')
    const state = new URL(begun.location).searchParams.get('state') ?? ''
    const page = await agent.postCrossSite('/auth/jwt/callback', { jwt: ran.out, state })
    t.match(page, { status: 303, location: '/tickets/7', reason: undefined })
    await agent.visit('/tickets/7')
    t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
    t.equal(decodeURIComponent(desk.last().all('x-agent-name')[0] ?? ''), name)
    t.match(await newAgent().postCrossSite('/auth/jwt', { jwt: ran.out }), { status: 400, reason: 'jwt.replayed' })
  }
}

/** A gateway for samples that verify its assertion. */
export async function createVerifyingCheck(t: Test): Promise<SampleCheck> {
  const key = curveKey('P-256')
  const identity = { assertion: { audience: 'the-desk', keys: ['assertion.key'] } }
  const secret = randomBytes(32).toString('base64')
  const { desk, idp, gateway, newAgent } = await startSampleGateway(t, secret, { identity }, { 'assertion.key': key })
  const agent = newAgent()
  await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
  const JWKS_URL = `${gateway.url}/auth/jwks.json`
  const env = { JWKS_URL, ASSERTION_ISSUER: publicUrl, ASSERTION_AUDIENCE: 'the-desk' }
  return async (t, sample) => {
    await agent.visit('/')
    const [genuine = ''] = desk.last().all('x-agent-assertion')
    const own = createPrivateKey(key)
    const forgeries = forgeriesOf(genuine, own)
    // The one that Desk got may have run out when a compiler is done at last.
    const now = Math.floor(systemClock.now() / 1000)
    const [head = '', payload = ''] = genuine.split('.')
    const long = forged(read(head), { ...read(payload), iat: now, exp: now + 600 }, ecdsa(own))
    const assertions = [sample.part === undefined ? genuine : long, ...Object.values(forgeries)]
    const ran = await runSample(sample, assertions, env)
    if (tooLate(t, sample, ran)) return
    t.match(ran, { code: 0, said: '' })
    const [good, ...others] = ran.out.split('\n')
    t.equal(good, 'ada@example.com')
    for (const [index, forgery] of Object.keys(forgeries).entries()) t.match(others[index], /^refused: ./, forgery)
    t.equal(others.length, Object.keys(forgeries).length)
  }
}

/** A language that is not asked for must not hold anybody up. */
function tooLate(t: Test, { part }: Sample, { late }: ProgramResult): boolean {
  if (!late || part === undefined || !isOptional(part)) return false
  t.comment('given up: it took too long to compile')
  t.pass('given up')
  return true
}

function forgeriesOf(genuine: string, key: KeyObject): Record<string, string> {
  const [head = '', payload = '', signature = ''] = genuine.split('.')
  const [header, claims] = [read(head), read(payload)]
  const now = Math.floor(systemClock.now() / 1000)
  const by = (changes: object, signer = ecdsa(key), over: object = {}) =>
    forged({ ...header, ...over }, { ...claims, iat: now, exp: now + 600, ...changes }, signer)
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
  const hmac = (input: string) => createHmac('sha256', pem).update(input).digest('base64url')
  return {
    'run out': by({ iat: now - 600, exp: now - 300 }),
    'for another audience': by({ aud: 'crm' }),
    'by another issuer': by({ iss: 'https://evil.example' }),
    'without exp': by({ exp: undefined }),
    "by a stranger's key": by({}, ecdsa(stranger)),
    'of an unknown kid': by({}, ecdsa(key), { kid: 'unknown' }),
    'alg none': by({}, () => '', { alg: 'none' }),
    'HMAC with the public key': by({}, hmac, { alg: 'HS256' }),
    changed: `${head}.${encode({ ...claims, email: 'root@example.com', exp: now + 600 })}.${signature}`,
    'r and s of zero': by({}, () => Buffer.alloc(64).toString('base64url')),
    'no token': 'x',
  }
}

function read(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}
