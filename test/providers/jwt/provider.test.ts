// The JWT hand-over as an operator would see it: what is sent out, what is accepted, when, and bound to whom.

import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import t from 'tap'
import type { CallbackRequest, Verdict } from '../../../src/core/providers.js'
import { createSecret } from '../../../src/core/secret.js'
import { attemptOf, createPortal, holding, type Portal, publicUrl } from '../../parts/jwt-provider.js'
import { type Claims, forged, hmac, secret, signed } from '../../parts/tokens.js'

/** Where begin sends the browser. */
async function redirectOf(portal: Portal, returnTo: string): Promise<URL> {
  const leave = await portal.provider.begin(attemptOf('new-state', { returnTo }))
  return new URL('redirect' in leave ? leave.redirect : '')
}

/** Why a well-signed token with these claims is refused. */
async function reasonOf(portal: Portal, claims: Claims, browser: Partial<CallbackRequest> = {}) {
  return (await portal.accept(await signed(portal.claims(claims)), browser)).reason
}

t.test('a login begins at the Remote login URL, with state and return_to', async t => {
  const url = await redirectOf(createPortal(), '/tickets/7?view=all#last')
  t.equal(url.origin + url.pathname, 'https://portal.example.com/login')
  t.equal(url.searchParams.get('state'), 'new-state')
  t.equal(url.searchParams.get('return_to'), `${publicUrl}/tickets/7?view=all&deskgate_state=new-state`)
})

t.test('the query and fragment of the Remote login URL stay', async t => {
  for (const [loginUrl, before, after] of [
    ['https://idp.example/go?tenant=a%20b&x=%2F', 'https://idp.example/go?tenant=a%20b&x=%2F&return_to=', ''],
    ['https://idp.example/go?', 'https://idp.example/go?return_to=', ''],
    ['https://idp.example/#/login', 'https://idp.example/?return_to=', '#/login'],
  ] as const) {
    const leave = await createPortal({ loginUrl }).provider.begin(attemptOf('s'))
    const redirect = 'redirect' in leave ? leave.redirect : ''
    t.ok(redirect.startsWith(before), redirect)
    t.ok(redirect.endsWith(`state=s${after}`), redirect)
  }
})

t.test('a return_to has one deskgate_state: ours', async t => {
  const portal = createPortal()
  for (const [returnTo, expected] of [
    ['/', '/?deskgate_state=new-state'],
    ['/a?', '/a?deskgate_state=new-state'],
    ['/a?deskgate_state=old&b=1', '/a?b=1&deskgate_state=new-state'],
    ['/a?deskgate%5Fstate=old&b=1', '/a?b=1&deskgate_state=new-state'],
    ['/a?b=what?&c', '/a?b=what?&c&deskgate_state=new-state'],
    ['/a#x?deskgate_state=old', '/a?deskgate_state=new-state'],
  ] as const) {
    t.equal((await redirectOf(portal, returnTo)).searchParams.get('return_to'), publicUrl + expected)
  }
})

t.test(
  "how far the provider's clock is off is measured, also where the login fails for it, and never by a forged token",
  async t => {
    const portal = createPortal()
    const skew = async () =>
      /^deskgate_idp_clock_skew_seconds\{provider="portal"\} (\S+)$/m.exec((await portal.metrics.text()).body)?.[1]
    const at = (seconds: number) => portal.claims({ iat: portal.clock.now() / 1000 + seconds })
    await portal.accept(forged({ alg: 'HS256' }, at(9), hmac('another secret of more than 32 bytes!')))
    t.equal(await skew(), undefined)
    t.ok((await portal.accept(await signed(at(-30)))).identity)
    t.equal(await skew(), '-30')
    t.equal((await portal.accept(await signed(at(120)))).reason, 'jwt.from_the_future')
    t.equal(await skew(), '120')
  },
)

t.test('a good token is accepted, and says who it is', async t => {
  const portal = createPortal()
  const claims = portal.claims({ name: 'Ada', roles: ['admin'], email: 'Ada@Example.com' })
  const verdict = await portal.accept(await signed(claims))
  t.strictSame(verdict.identity, {
    provider: 'portal',
    email: 'ada@example.com',
    name: 'Ada',
    roles: ['admin'],
    issuedAt: portal.clock.now(),
    replayKey: { id: 'jwt:portal:jti-0', until: portal.clock.now() + 180_000 + 120_000 },
  })
  t.match(verdict, { provider: 'portal', unsolicited: true, reason: undefined })
  t.ok(verdict.checks.length > 10 && verdict.checks.every(({ ok }) => ok))
})

t.test('what the checks show is never the token or the secret', async t => {
  const portal = createPortal()
  const good = await signed(portal.claims())
  for (const token of [good, `${good.slice(0, -3)}abc`, good.replace('.', '..'), 'x'.repeat(200)]) {
    const shown = JSON.stringify(await portal.accept(token))
    const parts = token.split('.').filter(({ length }) => length > 20)
    for (const part of [secret, token, ...parts]) t.notOk(shown.includes(part))
  }
})

t.test('only what a provider states is in the identity', async t => {
  const portal = createPortal()
  const nothing = { name: null, roles: null, return_to: null, state: null }
  const bare = await portal.accept(await signed(portal.claims(nothing)))
  t.strictSame(Object.keys(bare.identity ?? {}).sort(), ['email', 'issuedAt', 'provider', 'replayKey'])
  t.notOk('returnTo' in bare)
  const empty = await portal.accept(await signed(portal.claims({ name: '', roles: [], return_to: '' })))
  t.strictSame(empty.identity?.roles, [])
  t.notOk('name' in (empty.identity ?? {}))
  const one = await portal.accept(await signed(portal.claims({ roles: 'admin', return_to: '/tickets' })))
  t.strictSame(one.identity?.roles, ['admin'])
  t.equal(one.returnTo, '/tickets')
})

t.test('times hold to the millisecond, with maxAge and clockSkew', async t => {
  const cases: [times: Record<string, number>, milliseconds: number, reason: string | undefined][] = [
    [{}, 240_000, undefined],
    [{}, 240_001, 'jwt.too_old'],
    [{}, -60_000, undefined],
    [{}, -60_001, 'jwt.from_the_future'],
    [{ exp: 30 }, 89_999, undefined],
    [{ exp: 30 }, 90_000, 'jwt.expired'],
    [{ nbf: 100 }, 40_000, undefined],
    [{ nbf: 100 }, 39_999, 'jwt.not_yet_valid'],
  ]
  for (const [times, milliseconds, reason] of cases) {
    const portal = createPortal()
    const start = portal.clock.now() / 1000
    const shifted = Object.fromEntries(Object.entries(times).map(([name, seconds]) => [name, start + seconds]))
    const token = await signed(portal.claims(shifted))
    portal.clock.move(milliseconds)
    t.equal((await portal.accept(token)).reason, reason, `${JSON.stringify(times)} after ${milliseconds} ms`)
  }
})

t.test('the replay key outlives every moment at which the token is accepted, on a late replica too', async t => {
  const portal = createPortal()
  const issued = portal.clock.now() + 59_500
  const verdict = await portal.accept(await signed(portal.claims({ iat: issued / 1000, exp: issued / 1000 + 1e6 })))
  const lastAccepted = issued + 180_000 + 60_000
  t.ok((verdict.identity?.replayKey.until ?? 0) >= lastAccepted + 60_000)
  t.ok(Number.isInteger(verdict.identity?.replayKey.until))
})

t.test('fractions of a second are fine', async t => {
  const portal = createPortal()
  const now = portal.clock.now() / 1000
  t.equal(await reasonOf(portal, { iat: now - 0.25, exp: now + 1.5, nbf: now - 0.5 }), undefined)
})

t.test('a clock that says nothing refuses every login', async t => {
  for (const claims of [{}, { exp: 1e10 }, { nbf: 1 }]) {
    const portal = createPortal()
    const token = await signed(portal.claims(claims))
    portal.clock.set(Number.NaN)
    t.match(await portal.accept(token), { reason: /^jwt\./, identity: undefined })
  }
})

t.test('a clock that jumps five minutes refuses, and says by how much', async t => {
  for (const [jump, reason, seen] of [
    [
      -300_000,
      'jwt.from_the_future',
      "token issued 300 s ahead, at most 60 s allowed (clockSkew); check the provider's clock",
    ],
    [
      300_000,
      'jwt.too_old',
      "token age 300 s, at most 240 s allowed (maxAge 180 s + clockSkew 60 s); check the provider's clock",
    ],
  ] as const) {
    const portal = createPortal()
    const token = await signed(portal.claims())
    portal.clock.move(jump)
    const verdict = await portal.accept(token)
    t.match(verdict, { reason, identity: undefined })
    t.match(verdict.checks.at(-1), { ok: false, seen })
  }
})

t.test('issuer and audience', async t => {
  const portal = createPortal({ issuer: 'https://portal', audience: 'desk' })
  const iss = 'https://portal'
  t.equal(await reasonOf(portal, { iss, aud: 'desk' }), undefined)
  t.equal(await reasonOf(portal, { iss, aud: ['crm', 'desk'] }), undefined)
  t.equal(await reasonOf(portal, { iss: 'https://other', aud: 'desk' }), 'jwt.issuer_mismatch')
  t.equal(await reasonOf(portal, { aud: 'desk' }), 'jwt.issuer_mismatch')
  t.equal(await reasonOf(portal, { iss }), 'jwt.audience_mismatch')
  t.equal(await reasonOf(portal, { iss, aud: ['crm', 'desk2'] }), 'jwt.audience_mismatch')
  t.equal(await reasonOf(portal, { iss, aud: [] }), 'jwt.audience_mismatch')
  t.equal(await reasonOf(createPortal(), { iss: 'anything', aud: 'anything' }), undefined, 'not checked when not set')
})

t.test('secrets: all are tried, and one that was taken out is refused', async t => {
  const [old, next] = ['the old secret, 32 bytes or longer', 'the new secret, 32 bytes or longer']
  const during = createPortal({ secrets: [createSecret(next), createSecret(old)] })
  const after = createPortal({ secrets: [createSecret(next)] })
  const key = (text: string) => new TextEncoder().encode(text)
  const byOld = await signed(during.claims(), { key: key(old) })
  const byNext = await signed(during.claims(), { key: key(next) })
  t.equal((await during.accept(byOld)).reason, undefined)
  t.equal((await during.accept(byNext)).reason, undefined)
  t.equal((await after.accept(byOld)).reason, 'jwt.signature_invalid')
  t.equal((await after.accept(byNext)).reason, undefined)
})

t.test('public keys: RS256, ES256 and EdDSA, from a JWKS and from PEM', async t => {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  }
  const published = Object.entries(pairs).map(async ([kid, { publicKey }]) => ({
    ...(await exportJWK(publicKey)),
    kid,
  }))
  const jwks = JSON.stringify({ keys: await Promise.all(published) })
  const pem = Object.values(pairs).map(({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' }))
  for (const [alg, { privateKey }] of Object.entries(pairs)) {
    for (const text of [jwks, pem.join('')]) {
      const portal = createPortal({ jwks: { path: 'keys', text } })
      for (const header of [{ alg }, { alg, kid: alg }]) {
        const verdict = await portal.accept(await signed(portal.claims(), { key: privateKey, header }))
        t.equal(verdict.reason, undefined, `${alg} ${JSON.stringify(header)}`)
      }
    }
  }
})

t.test('a state binds the token to this browser, wherever it comes back', async t => {
  const portal = createPortal()
  const attempt = attemptOf('s1')
  const browser = holding(attempt)
  const returnTo = `${publicUrl}/tickets/7?deskgate_state=s1#x`
  const bound = (verdict: Verdict) => t.match(verdict, { reason: undefined, unsolicited: false, attempt })
  bound(await portal.accept(await signed(portal.claims()), { ...browser, state: 's1' }))
  bound(await portal.accept(await signed(portal.claims()), { ...browser, returnTo }))
  bound(await portal.accept(await signed(portal.claims({ state: 's1' })), browser))
  bound(await portal.accept(await signed(portal.claims({ return_to: returnTo })), browser))
  bound(await portal.accept(await signed(portal.claims({ state: 's1' })), { ...browser, state: 's1', returnTo }))
})

t.test('a state that is not of this browser, or of another provider, refuses the login', async t => {
  const portal = createPortal()
  const browser = holding(attemptOf('s1'), attemptOf('s2'), attemptOf('s3', { provider: 'corp' }))
  const mismatch = 'jwt.state_mismatch'
  t.equal(await reasonOf(portal, {}, { ...browser, state: 'unknown' }), mismatch)
  t.equal(await reasonOf(portal, { state: 'unknown' }, browser), mismatch)
  t.equal(await reasonOf(portal, { return_to: '/?deskgate_state=unknown' }, browser), mismatch)
  t.equal(await reasonOf(portal, {}, { ...browser, state: 's3' }), mismatch)
  t.equal(await reasonOf(portal, { state: 's1' }, { ...browser, state: 's2' }), mismatch)
  t.equal(await reasonOf(portal, {}, { ...browser, state: 's1', returnTo: '/?deskgate_state=s2' }), mismatch)
  t.equal(await reasonOf(portal, {}, { ...browser, returnTo: '/?deskgate_state=s1&deskgate_state=s2' }), mismatch)
  t.equal(await reasonOf(portal, { state: 's1' }, { ...browser, state: 's1' }), undefined)
})

t.test('requireState demands one', async t => {
  const portal = createPortal({ requireState: true })
  const refused = await portal.accept(await signed(portal.claims()))
  t.match(refused, { reason: 'jwt.state_mismatch', unsolicited: true })
  t.match(refused.checks.at(-1), { name: 'state present', ok: false, setting: 'requireState' })
  t.equal(await reasonOf(portal, {}, { state: '' }), 'jwt.state_mismatch')
  const accepted = await portal.accept(await signed(portal.claims()), { state: 's1', ...holding(attemptOf('s1')) })
  t.match(accepted, { reason: undefined, unsolicited: false })
})

t.test('without a state a login is unsolicited, and an empty one is none', async t => {
  const portal = createPortal()
  for (const browser of [{}, { state: '' }, { returnTo: '/a?b=c' }, { returnTo: '' }]) {
    t.match(await portal.accept(await signed(portal.claims()), browser), { reason: undefined, unsolicited: true })
  }
})

t.test('a refused answer still leads to the page of its attempt', async t => {
  const portal = createPortal()
  const token = await signed(portal.claims())
  portal.clock.move(600_000)
  const verdict = await portal.accept(token, { state: 's1', ...holding(attemptOf('s1')) })
  t.match(verdict, { reason: 'jwt.too_old', unsolicited: false, attempt: { returnTo: '/tickets/7' } })
  const other = await portal.accept(token, { state: 's1', ...holding(attemptOf('s1', { provider: 'corp' })) })
  t.notOk('attempt' in other)
})

t.test('a refusal names the rung, what was expected, what was seen, and the setting', async t => {
  const portal = createPortal({ audience: 'desk' })
  const verdict = await portal.accept(await signed(portal.claims({ aud: 'crm' })))
  t.match(verdict.checks.at(-1), { name: 'aud', ok: false, expected: 'desk', seen: 'crm', setting: 'audience' })
  t.equal(verdict.checks.filter(({ ok }) => !ok).length, 1)
  const algorithm = await portal.accept(forged({ alg: 'HS512' }, portal.claims()))
  t.match(algorithm.checks.at(-1), { name: 'algorithm', expected: 'HS256', seen: '"HS512"', setting: 'algorithms' })
})

t.test('a logout goes to the Remote logout URL with the e-mail, or nowhere', async t => {
  const agent = { email: 'a+b@example.com', roles: [] }
  const from = { address: '', browser: '' }
  const session = { handle: 'h', agent, provider: 'portal', createdAt: 0, endsAt: 0, seenAt: 0, from }
  const logoutUrl = 'https://bye.example.com/out?x=1'
  const leave = createPortal({ logoutUrl }).provider.logout(session)
  t.strictSame(leave, { redirect: 'https://bye.example.com/out?x=1&email=a%2Bb%40example.com' })
  t.equal(createPortal().provider.logout(session), undefined)
})

t.test('forms may go to the origins of both URLs', async t => {
  const logoutUrl = 'https://bye.example.com:8443/out'
  const { provider } = createPortal({ logoutUrl })
  t.strictSame(provider.formTargets(), ['https://portal.example.com', 'https://bye.example.com:8443'])
  t.strictSame(createPortal().provider.formTargets(), ['https://portal.example.com'])
})

t.test('a provider without a usable key is not created', async t => {
  t.throws(() => createPortal({ secrets: [createSecret('x'.repeat(31))] }), /shorter than 32 bytes/)
  t.throws(() => createPortal({ jwks: { path: 'k.json', text: '{"keys":[]}' } }), /k\.json: it holds no usable key/)
  t.throws(() => createPortal({ jwks: { path: 'k.json', text: 'hello' } }), /neither JSON nor PEM/)
  const { privateKey } = generateKeyPairSync('ed25519')
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  t.throws(() => createPortal({ jwks: { path: 'k.pem', text } }), /private key/)
})
