// Attacks on what a properly signed token says: claims of odd types, read twice, inherited, out of their time.

import t, { type Test } from 'tap'
import type { Reason } from '../../src/core/reasons.js'
import { createPortal, type Portal } from '../parts/jwt-provider.js'
import { type Claims, forged } from '../parts/tokens.js'

/** What a payload with these claims, or of this very text, is refused for; undefined when it is accepted. */
async function reasonOf(portal: Portal, payload: Claims | string | Buffer): Promise<Reason | undefined> {
  const verdict = await portal.accept(forged({ alg: 'HS256' }, payload))
  return verdict.identity ? undefined : verdict.reason
}

/** A payload as text, in which one claim is replaced by JSON text that JSON.stringify would not write. */
function written(portal: Portal, name: string, text: string): string {
  return JSON.stringify({ ...portal.claims(), [name]: '@' }).replace('"@"', text)
}

async function refuses(t: Test, portal: Portal, name: string, values: unknown[], reason: Reason): Promise<void> {
  for (const value of values) {
    const shown = `${name}: ${JSON.stringify(value)?.slice(0, 60)}`
    t.equal(await reasonOf(portal, portal.claims({ [name]: value })), reason, shown)
  }
}

t.test('email, iat and jti must be there', async t => {
  const portal = createPortal()
  for (const name of ['email', 'iat', 'jti']) {
    t.equal(await reasonOf(portal, portal.claims({ [name]: undefined })), 'jwt.claim_missing', name)
  }
  t.equal(await reasonOf(portal, {}), 'jwt.claim_missing')
  const verdict = await portal.accept(forged({ alg: 'HS256' }, { iat: 1 }))
  t.match(verdict.checks.at(-1), { name: 'required claims', seen: 'no email, no jti' })
})

t.test('an old token, whatever its exp says', async t => {
  const portal = createPortal()
  const now = portal.clock.now() / 1000
  t.equal(await reasonOf(portal, portal.claims({ iat: now - 241, exp: now + 3600 })), 'jwt.too_old')
  t.equal(await reasonOf(portal, portal.claims({ iat: now - 86_400 * 365 })), 'jwt.too_old')
  t.equal(await reasonOf(portal, portal.claims({ iat: 0 })), 'jwt.too_old')
  t.equal(await reasonOf(portal, portal.claims({ iat: -1 })), 'jwt.too_old')
})

t.test('an iat in the future', async t => {
  const portal = createPortal()
  const now = portal.clock.now() / 1000
  for (const [ahead, reason] of [
    [2, undefined],
    [60, undefined],
    [61, 'jwt.from_the_future'],
    [86_400 * 365, 'jwt.from_the_future'],
  ] as const) {
    t.equal(await reasonOf(portal, portal.claims({ iat: now + ahead })), reason, `${ahead} s`)
  }
})

t.test('times of odd types', async t => {
  const portal = createPortal()
  const now = portal.clock.now() / 1000
  const odd = [`${now}`, '', null, true, [now], { valueOf: now }, portal.clock.now()]
  await refuses(t, portal, 'iat', odd, 'jwt.claim_invalid')
  await refuses(t, portal, 'exp', [...odd, '2099-01-01T00:00:00Z'], 'jwt.claim_invalid')
  await refuses(t, portal, 'nbf', odd, 'jwt.claim_invalid')
  for (const name of ['iat', 'exp', 'nbf']) {
    for (const text of ['1e400', '-1e400', '1e99']) {
      t.equal(await reasonOf(portal, written(portal, name, text)), 'jwt.claim_invalid', `${name}: ${text}`)
    }
    for (const text of ['NaN', 'Infinity', '01', '0x7', '+1', '1.', '-']) {
      t.equal(await reasonOf(portal, written(portal, name, text)), 'jwt.malformed', `${name}: ${text}`)
    }
  }
})

t.test('expired, and not yet valid', async t => {
  const portal = createPortal()
  const now = portal.clock.now() / 1000
  t.equal(await reasonOf(portal, portal.claims({ exp: now - 60 })), 'jwt.expired')
  t.equal(await reasonOf(portal, portal.claims({ exp: 0 })), 'jwt.expired')
  t.equal(await reasonOf(portal, portal.claims({ exp: -5 })), 'jwt.expired')
  t.equal(await reasonOf(portal, portal.claims({ nbf: now + 61 })), 'jwt.not_yet_valid')
})

t.test('a token for another application', async t => {
  const portal = createPortal({ issuer: 'https://portal', audience: 'desk' })
  const good = { iss: 'https://portal', aud: 'desk' }
  const reason = (claims: Claims) => reasonOf(portal, portal.claims({ ...good, ...claims }))
  t.equal(await reason({}), undefined)
  for (const iss of ['https://portal/', 'HTTPS://PORTAL', ' https://portal', '', undefined]) {
    t.equal(await reason({ iss }), 'jwt.issuer_mismatch', `${iss}`)
  }
  for (const aud of ['Desk', 'desk ', '', [], ['crm'], undefined]) {
    t.equal(await reason({ aud }), 'jwt.audience_mismatch', `${aud}`)
  }
})

t.test('iss and aud of odd types, configured or not', async t => {
  for (const portal of [createPortal(), createPortal({ issuer: 'https://portal', audience: 'desk' })]) {
    const iss = 'https://portal'
    for (const odd of [7, null, ['https://portal'], { toString: 'https://portal' }, true]) {
      t.equal(await reasonOf(portal, portal.claims({ iss: odd })), 'jwt.claim_invalid', JSON.stringify(odd))
    }
    for (const odd of [7, null, { desk: true }, ['desk', 7], [['desk']], true]) {
      t.equal(await reasonOf(portal, portal.claims({ iss, aud: odd })), 'jwt.claim_invalid', JSON.stringify(odd))
    }
  }
})

t.test('an email that is not exactly one address', async t => {
  const portal = createPortal()
  const odd: unknown[] = [
    ['ada@example.com'],
    ['ada@example.com', 'root@example.com'],
    { address: 'ada@example.com' },
    { toString: 'ada@example.com' },
    7,
    true,
    null,
    '',
    ' ',
    'ada',
    '@',
    'ada@',
    '@example.com',
    'ada@b@example.com',
    'ada@example.com,root@example.com',
    'ada@example.com;root@example.com',
    'ada@example.com root@example.com',
    'Ada <ada@example.com>',
    '<ada@example.com>',
    '"ada"@example.com',
    'ada(root)@example.com',
    'mailto:ada@example.com',
    'ada@[127.0.0.1]',
    ' ada@example.com',
    'ada@example.com ',
    'ada@example.com\r\nX-Admin: 1',
    'ada@example.com\n',
    'ada\u0000@example.com',
    'ada@example.com\u0000.evil.org',
    'ada\u200b@example.com',
    'ada\u202e@example.com',
    'ada\ufeff@example.com',
    'ada\u00a0@example.com',
    'ade\u0301@example.com',
    '\ud800@example.com',
    `${'a'.repeat(10_000)}@example.com`,
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(254)}`,
  ]
  await refuses(t, portal, 'email', odd, 'jwt.claim_invalid')
})

t.test('an address in another script is another address', async t => {
  const portal = createPortal()
  for (const email of ['аda@example.com', 'ADA@EXAMPLE.COM', 'ada@exаmple.com', 'adаé@example.com']) {
    const { identity } = await portal.accept(forged({ alg: 'HS256' }, portal.claims({ email })))
    const folded = email === 'ADA@EXAMPLE.COM' ? 'ada@example.com' : email
    t.equal(identity?.email, folded)
  }
})

t.test('an address that the provider has not verified', async t => {
  const portal = createPortal()
  await refuses(t, portal, 'email_verified', [false, 'false', 0, null, 'no', []], 'jwt.claim_invalid')
  t.equal(await reasonOf(portal, portal.claims({ email_verified: true })), undefined)
  t.equal(await reasonOf(portal, portal.claims({ email_verified: 'true' })), undefined)
})

t.test('inherited claims are none', async t => {
  const portal = createPortal()
  const claims = portal.claims()
  const hidden = `{"__proto__":${JSON.stringify(claims)}}`
  t.equal(await reasonOf(portal, hidden), 'jwt.claim_missing')
  const partly = `{"__proto__":{"email":"root@example.com"},"iat":${claims.iat},"jti":"j"}`
  t.equal(await reasonOf(portal, partly), 'jwt.claim_missing')
  const beside = JSON.stringify(claims).replace('{', '{"__proto__":{"roles":["admin"],"name":"Root"},')
  const { identity } = await portal.accept(forged({ alg: 'HS256' }, beside))
  t.match(identity, { email: 'ada@example.com', name: undefined, roles: undefined })
  t.equal(({} as { roles?: unknown }).roles, undefined)
})

t.test('claims that can be read in two ways', async t => {
  const portal = createPortal()
  const good = JSON.stringify(portal.claims())
  t.equal(await reasonOf(portal, good), undefined)
  const texts = [
    good.replace('{', '{"email":"root@example.com",'),
    good.replace('}', ',"email":"root@example.com"}'),
    good.replace('}', ',"\\u0065mail":"root@example.com"}'),
    good.replace('}', ',"\\u0065\\u006d\\u0061\\u0069\\u006c":"root@example.com"}'),
    good.replace('}', ',"x":1,"x":1}'),
    good.replace('}', ',"x":[{"a":1,"a":2}]}'),
    good.replace('}', ',"__proto__":1,"__proto__":2}'),
    good.replace('}', ',"email" :"root@example.com"}'),
    good.replace('}', ',"email"\n:\t"root@example.com"}'),
  ]
  for (const text of texts) t.equal(await reasonOf(portal, text), 'jwt.malformed', text)
  const fine = [
    good.replace('}', ',"x":"\\"email\\":1","y":["email","email"],"z":{"email":{"email":1}}}'),
    good.replace('}', ',"x":"}{][\\\\","y":"a:b,\\"c\\":"}'),
    good.replace('}', ',"":"","Email":"root@example.com"}'),
  ]
  for (const text of fine) t.equal(await reasonOf(portal, text), undefined, text)
})

t.test('payloads that are not a claims set', async t => {
  const portal = createPortal()
  const good = JSON.stringify(portal.claims())
  const texts = [
    'null',
    'true',
    '7',
    '"x"',
    '[]',
    `[${good}]`,
    'x',
    `${good}x`,
    `${good}${good}`,
    `\ufeff${good}`,
    `{${good}`,
  ]
  for (const text of texts) t.equal(await reasonOf(portal, text), 'jwt.malformed', text.slice(0, 20))
  const latin = Buffer.from(good.replace('}', ',"name":"\xe9"}'), 'latin1')
  t.equal(await reasonOf(portal, latin), 'jwt.malformed', 'no UTF-8')
  const overlong = Buffer.concat([
    Buffer.from(good.slice(0, -1)),
    Buffer.from(',"n":"'),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from('"}'),
  ])
  t.equal(await reasonOf(portal, overlong), 'jwt.malformed', 'overlong UTF-8')
})

t.test('claims that nest deeper than anybody reads', async t => {
  const portal = createPortal()
  const nested = (depth: number) => written(portal, 'x', '['.repeat(depth) + ']'.repeat(depth))
  t.equal(await reasonOf(portal, nested(15)), undefined)
  t.equal(await reasonOf(portal, nested(16)), 'jwt.malformed')
  t.equal(await reasonOf(portal, nested(5000)), 'jwt.malformed')
})

t.test('jti: empty, long, or of another type', async t => {
  const portal = createPortal()
  const odd: unknown[] = [
    '',
    'j'.repeat(257),
    'j'.repeat(10_000),
    7,
    0,
    null,
    true,
    ['a', 'b'],
    [],
    {},
    'a\u0000',
    'a\nb',
    '\u0085',
    '\udc00',
  ]
  await refuses(t, portal, 'jti', odd, 'jwt.claim_invalid')
  for (const jti of ['j', 'j'.repeat(256), ' ', 'ü:*:0', '__proto__']) {
    const { identity } = await portal.accept(forged({ alg: 'HS256' }, portal.claims({ jti })))
    t.equal(identity?.replayKey.id, `jwt:portal:${jti}`)
  }
})

t.test('the same jti is the same login, whatever else the token says; of another provider it is not', async t => {
  const portal = createPortal()
  const claimOf = async (from: Portal, claims: Claims) =>
    (await from.accept(forged({ alg: 'HS256' }, from.claims({ jti: 'one', ...claims })))).identity?.replayKey.id
  const first = await claimOf(portal, {})
  t.equal(await claimOf(portal, { email: 'bob@example.com', iat: portal.clock.now() / 1000 - 1 }), first)
  t.not(await claimOf(createPortal({ id: 'other' }), {}), first)
  t.not(await claimOf(portal, { jti: 'One' }), first)
})

t.test('names and roles of odd types', async t => {
  const portal = createPortal()
  const names = [7, true, ['Ada'], { first: 'Ada' }, 'A\r\nX-Admin: 1', 'A\u0000', 'A'.repeat(257), '\ud800']
  await refuses(t, portal, 'name', names, 'jwt.claim_invalid')
  const roles = [
    7,
    true,
    { admin: true },
    ['admin', 7],
    [['admin']],
    [null],
    [''],
    ['a\nb'],
    ['a'.repeat(129)],
    Array(201).fill('a'),
  ]
  await refuses(t, portal, 'roles', roles, 'jwt.claim_invalid')
  await refuses(t, portal, 'state', [7, ['s'], {}], 'jwt.claim_invalid')
  await refuses(t, portal, 'return_to', [7, ['/'], {}], 'jwt.claim_invalid')
})

t.test('a role with a comma stays one role', async t => {
  const portal = createPortal()
  const { identity } = await portal.accept(forged({ alg: 'HS256' }, portal.claims({ roles: 'agent,admin' })))
  t.strictSame(identity?.roles, ['agent,admin'])
})
