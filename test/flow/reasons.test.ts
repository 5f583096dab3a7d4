// Every reason for which a login is refused today, over HTTP: its status, a page and problem+json with a reference, the
// checks behind the reference, a line, an audit event, a metric, and never a session.

import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Reason, reasons } from '../../src/core/reasons.js'
import { createTestClock } from '../parts/clock.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { type Answer, begin, createIdentityProvider, logIn, portalSecret } from '../parts/identity-provider.js'
import { type ResponseChange, swap } from '../parts/saml-idp.js'
import { forged, signed } from '../parts/tokens.js'
import { createUserAgent, exchange, type Page, type UserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const clock = createTestClock()
const idp = createIdentityProvider({ publicUrl, clock })
const ada = 'ada@example.com'
const strictSecret = 'the secret of the strict portal, long enough'

/** Not built yet, or without a way to get there over HTTP; Redis away is in replicas.test.ts, an API away in agents-leave.test.ts. */
const elsewhere: Reason[] = [
  'login.attempt_unknown',
  'agent.directory_unavailable',
  'login.rate_limited',
  'login.link_used',
  'login.link_expired',
  'login.busy_unavailable',
  'login.step_up_other_agent',
  'session.store_unavailable',
]

const password = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
const nowhere = 'http://127.0.0.1:1'
const roles = Array.from({ length: 90 }, (_, i) => `a-role-with-a-long-name-${i}-${'x'.repeat(80)}`)
const agents = [
  { email: ada, id: '7', name: 'Ada' },
  { email: 'bob@example.com', id: '8' },
  { email: 'carla@example.com', active: false },
  { email: 'heavy@example.com', roles },
]

function settings(desk: Desk) {
  const strict = { issuer: 'https://strict.example.com', audience: publicUrl, secrets: [strictSecret] }
  const { portal, corp } = idp.settings
  return {
    publicUrl,
    desk: { url: desk.url },
    providers: [
      { ...corp, acceptedContexts: [password], maxAuthAge: '1h' },
      portal,
      { ...portal, ...strict, id: 'strict', authnContext: ['urn:example:mfa'], maxAuthAge: '15m' },
      { ...portal, id: 'keys', issuer: 'https://keys.example.com', secrets: undefined, jwks: `${nowhere}/jwks.json` },
      { id: 'meta', type: 'saml', name: 'Meta', metadata: `${nowhere}/metadata` },
    ],
    agents: [{ file: 'agents.yaml' }],
    ops: { adminToken },
  }
}

/** What a browser posts; for `agent`, which may have begun a login for it. */
type Make = (agent: UserAgent) => Promise<Answer> | Answer

const minute = 60_000
const hoursAgo = (hours: number) => new Date(clock.now() - hours * 60 * minute).toISOString()
const seconds = () => clock.now() / 1000
const token = (claims: Record<string, unknown>, change: Record<string, unknown> = {}): Make => {
  return async () => {
    const good = { email: ada, iat: seconds(), jti: `own-${Math.random()}` }
    return { path: '/auth/jwt', fields: { jwt: await signed({ ...good, ...claims }, { key: secretKey, ...change }) } }
  }
}
const secretKey = new TextEncoder().encode(portalSecret)
const strictParties = { iss: 'https://strict.example.com', aud: publicUrl }
const strictly = (claims: Record<string, unknown>): Make => {
  const make = token(claims, { key: new TextEncoder().encode(strictSecret) })
  return async agent => ({ ...(await make(agent)), path: '/auth/jwt/strict' })
}
/** The answer to a login that this browser began, changed. */
const response = (change: ResponseChange | (() => ResponseChange), email = ada): Make => {
  return async agent => {
    const { location } = await agent.visit('/auth/login/corp')
    return idp.saml(email, location, typeof change === 'function' ? change() : change)
  }
}
/** An answer that was accepted before. */
const used = (way: 'corp' | 'portal'): Make => {
  return async agent => {
    const answer = await begin(agent, idp, { way, email: ada })
    const first = createUserAgent(publicUrl, { port })
    for (const { line } of agent.cookies) first.take(line)
    const { status } = await first.postCrossSite(answer.path, answer.fields)
    if (status !== 303) throw new Error(`the first use was refused: ${status}`)
    return answer
  }
}
const person =
  (email: string): Make =>
  agent =>
    begin(agent, idp, { way: 'portal', email })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const sha1 = 'http://www.w3.org/2000/09/xmldsig#'

let port = 0

const refusals: Partial<Record<Reason, [status: number, make: Make]>> = {
  'jwt.malformed': [400, () => ({ path: '/auth/jwt', fields: { jwt: 'nonsense' } })],
  'jwt.algorithm_not_allowed': [
    400,
    () => ({ path: '/auth/jwt', fields: { jwt: forged({ alg: 'none' }, { email: ada }, () => '') } }),
  ],
  'jwt.signature_invalid': [400, token({}, { key: new TextEncoder().encode('somebody else has another secret') })],
  'jwt.keys_unavailable': [
    503,
    async () => ({
      path: '/auth/jwt/keys',
      fields: { jwt: await signed({ email: ada }, { key: rsa.privateKey, header: { alg: 'RS256', kid: 'k' } }) },
    }),
  ],
  'jwt.claim_missing': [400, token({ jti: undefined })],
  'jwt.claim_invalid': [400, token({ email: ['ada@example.com'] })],
  'jwt.expired': [400, async agent => token({ exp: seconds() - 120 })(agent)],
  'jwt.not_yet_valid': [400, async agent => token({ nbf: seconds() + 120 })(agent)],
  'jwt.too_old': [400, async agent => token({ iat: seconds() - 600 })(agent)],
  'jwt.from_the_future': [400, async agent => token({ iat: seconds() + 600 })(agent)],
  'jwt.issuer_mismatch': [400, strictly({ iss: 'https://evil.example', aud: publicUrl })],
  'jwt.audience_mismatch': [400, strictly({ iss: 'https://strict.example.com', aud: 'https://other.example' })],
  'jwt.replayed': [400, used('portal')],
  'jwt.state_mismatch': [
    400,
    async agent => {
      const { path, fields } = await begin(agent, idp, { way: 'portal', email: ada })
      const state = 'A'.repeat(22)
      return { path, fields: { ...fields, return_to: '/', state } }
    },
  ],
  'jwt.context_mismatch': [400, strictly({ ...strictParties, acr: '0' })],
  'jwt.authentication_too_old': [
    400,
    async agent => strictly({ ...strictParties, acr: 'urn:example:mfa', auth_time: seconds() - 86_400 })(agent),
  ],
  'saml.malformed': [400, () => ({ path: '/auth/saml/acs', fields: { SAMLResponse: 'bm9uc2Vuc2U=' } })],
  'saml.status_not_success': [400, response({ before: swap('status:Success', 'status:Requester') })],
  'saml.algorithm_not_allowed': [
    400,
    response({ signing: { signatureAlgorithm: `${sha1}rsa-sha1`, digestAlgorithm: `${sha1}sha1` } }),
  ],
  'saml.signature_missing': [400, response({ sign: 'none' })],
  'saml.signature_invalid': [400, response({ after: swap(ada, 'bob@example.com') })],
  'saml.issuer_unknown': [400, response({ plan: { issuer: 'https://evil.example' } })],
  'saml.audience_mismatch': [400, response({ plan: { audience: 'https://other.example' } })],
  'saml.recipient_mismatch': [
    400,
    response({ before: swap(/Recipient="[^"]*"/, 'Recipient="https://other.example/acs"') }),
  ],
  'saml.destination_mismatch': [
    400,
    response({ before: swap(/Destination="[^"]*"/, 'Destination="https://other.example/acs"') }),
  ],
  'saml.confirmation_invalid': [400, response({ before: swap('cm:bearer', 'cm:holder-of-key') })],
  'saml.expired': [400, response(() => ({ plan: { now: clock.now() - 10 * minute } }))],
  'saml.not_yet_valid': [400, response(() => ({ plan: { now: clock.now() + 10 * minute } }))],
  'saml.in_response_to_unknown': [400, response({ plan: { inResponseTo: `_${'B'.repeat(22)}` } })],
  'saml.unsolicited': [400, () => idp.saml(ada)],
  'saml.replayed': [400, used('corp')],
  'saml.decryption_failed': [400, response({ sign: 'response', before: encrypted })],
  'saml.email_missing': [400, response({ before: swap(/<saml:NameID[^>]*>[^<]*<\/saml:NameID>/, '') })],
  'saml.email_invalid': [400, response({}, 'ada at example.com')],
  'saml.context_mismatch': [400, response({ before: swap(password, 'urn:example:other') })],
  'saml.authentication_too_old': [
    400,
    response(() => ({ before: swap(/AuthnInstant="[^"]*"/, `AuthnInstant="${hoursAgo(2)}"`) })),
  ],
  'agent.unknown': [403, person('eve@example.com')],
  'agent.disabled': [403, person('carla@example.com')],
  'agent.forbidden': [403, person('heavy@example.com')],
}

/** With an assertion that only somebody with a key could read. */
function encrypted(xml: string): string {
  const open = '<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/>'
  return swap(/<saml:Assertion .*<\/saml:Assertion>/s, `${open}</saml:EncryptedAssertion>`)(xml)
}

t.test('refused logins', async t => {
  const desk = await startDesk()
  const gateway = await startInProcessGateway(settings(desk), {
    clock,
    files: { 'idp.crt': idp.certificate, 'agents.yaml': JSON.stringify(agents) },
  })
  port = gateway.port
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const newAgent = () => createUserAgent(publicUrl, { port })

  for (const [reason, [status, make]] of Object.entries(refusals) as [Reason, [number, Make]][]) {
    t.test(reason, async t => {
      const agent = newAgent()
      const { path, fields } = await make(agent)
      const page = await agent.postCrossSite(path, fields)
      t.match(page, { status, reason, headers: { 'content-type': /^text\/html/, 'cache-control': 'no-store' } })
      t.match(page.body, /<h1>[A-Z][^<]+<\/h1>/, 'it says what happened')
      if (status === 503) t.match(page.headers['retry-after'], /^\d+$/)
      await isTold(t, gateway, page, reason, fields)
      t.notMatch(agent.cookieHeader('/'), '__Host-deskgate=', 'no session')
      t.equal((await agent.visit('/')).status, 302)

      const other = newAgent()
      const again = await make(other)
      const program = await byProgram(again, other.cookieHeader(again.path, 'cross'))
      t.match(program, { status, reason, headers: { 'content-type': 'application/problem+json' } })
      const body = JSON.parse(program.body)
      t.match(body, { status, title: /./, detail: /./, reference: /^\w{5}-\w{5}$/ })
      t.same(program.setCookies.filter(isSession), [])
    })
  }

  t.test('saml.metadata_unavailable: the login does not begin', async t => {
    const page = await newAgent().visit('/auth/login/meta')
    t.match(page, { status: 503, reason: 'saml.metadata_unavailable', headers: { 'retry-after': /^\d+$/ } })
    await isTold(t, gateway, page, 'saml.metadata_unavailable', {})
  })

  t.test('login.other_session: an unasked login of somebody else', async t => {
    const agent = newAgent()
    await logIn(agent, idp, { way: 'corp', email: ada })
    const unasked = await idp.jwt('bob@example.com')
    const page = await agent.postCrossSite(unasked.path, unasked.fields)
    t.match(page, { status: 409, reason: 'login.other_session', body: /<form method="post" action="\/auth\/logout">/ })
    await isTold(t, gateway, page, 'login.other_session', unasked.fields)
    await agent.visit('/')
    t.same(desk.last().all('x-agent-email'), [ada], 'she is still who she was')
    t.match(await agent.send('/auth/logout'), { headers: { refresh: '0;url=https://idp.example.com/bye' } })
    t.match(await agent.postCrossSite(unasked.path, unasked.fields), { status: 303 }, 'and the same answer is good now')
    await agent.visit('/')
    t.same(desk.last().all('x-agent-email'), ['bob@example.com'])
  })

  t.test('login.loop: a browser that keeps no session cookie is stopped', async t => {
    const agent = newAgent()
    let page: Page | undefined
    for (let i = 0; i < 9 && page?.reason === undefined; i++) {
      page = await agent.visit('/auth/login/portal')
      if (page.status !== 302) break
      const { path, fields } = await idp.jwt(ada, page.location)
      t.equal((await agent.postCrossSite(path, fields)).status, 303)
      const kept = agent.cookies.filter(({ name }) => name.includes('-login.'))
      agent.cookies.splice(0, agent.cookies.length, ...kept)
    }
    t.match(page, { status: 400, reason: 'login.loop' })
    clock.move(minute)
    t.equal((await agent.visit('/auth/login/portal')).status, 302, 'a minute later it may try again')
  })

  t.test('ten minutes: an answer that comes later finds no login', async t => {
    for (const [way, reason] of [
      ['corp', 'saml.in_response_to_unknown'],
      ['portal', 'jwt.state_mismatch'],
    ] as const) {
      const agent = newAgent()
      const { location } = await agent.visit(`/auth/login/${way}`)
      clock.move(10 * minute)
      const { path, fields } = way === 'corp' ? idp.saml(ada, location) : await idp.jwt(ada, location)
      t.match(await agent.postCrossSite(path, fields), { status: 400, reason })
    }
  })

  t.test('no reason is left out', async t => {
    const here = [...Object.keys(refusals), 'saml.metadata_unavailable', 'login.other_session', 'login.loop']
    t.same([...here, ...elsewhere].sort(), [...reasons].sort())
  })
})

/** The operator's side of a refusal: log, audit, metric, and the checks behind the reference. */
async function isTold(t: Test, gateway: InProcessGateway, page: Page, reason: Reason, fields: Record<string, string>) {
  const { reference = 'none' } = page
  t.match(reference, /^\w{5}-\w{5}$/)
  const lines = gateway.lines.filter(line => line.reference === reference)
  t.match(lines, [{ msg: 'login refused', reason, hint: /./ }])
  const events = (await gateway.audit()).filter(event => event.reference === reference)
  t.match(events, [{ event: 'login_refused', reason, address: '127.0.0.1' }])
  t.match(await textOf(`${gateway.opsUrl}/metrics`), new RegExp(`reason="${reason.replace('.', '\\.')}"\\} [1-9]`))
  const dossier = JSON.parse(await textOf(`${gateway.opsUrl}/api/logins/${reference}`))
  t.match(dossier, { reason, reference })
  const checks = dossier.checks as { name: string; ok: boolean }[]
  t.equal(checks.filter(({ ok }) => !ok).length, 1, 'exactly one check failed')
  t.equal(checks.at(-1)?.ok, false, 'and it is the last')
  const said = page.body + JSON.stringify([lines, events, dossier])
  const message = fields.SAMLResponse ?? fields.jwt?.split('.')[2] ?? ''
  if (message !== '') t.notOk(said.includes(message), 'the message itself is nowhere')
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url, { headers: { authorization: `Bearer ${adminToken}` } })).text()
}

function byProgram({ path, fields }: Answer, cookie: string): Promise<Page> {
  const headers = {
    ...{ host: 'desk.example.com', accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    ...(cookie === '' ? {} : { cookie }),
  }
  return exchange({ port }, path, { method: 'POST', headers, body: new URLSearchParams(fields).toString() })
}

function isSession(line: string): boolean {
  return /^__Host-deskgate=[A-Za-z0-9_-]{43}/.test(line)
}
