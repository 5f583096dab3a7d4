// A token is held against the method and the age of the authentication that the settings ask for: acr and auth_time.

import t from 'tap'
import type { JwtSettings } from '../../../src/config/schema/providers.js'
import { createPortal } from '../../parts/jwt-provider.js'
import { signed } from '../../parts/tokens.js'

const minute = 60_000
const mfa = 'urn:example:mfa'
const { clock } = createPortal()
const now = clock.now() / 1000
const asked = { authnContext: [mfa] }
const young = { maxAuthAge: 15 * minute }

const cases: [string, Partial<JwtSettings>, Record<string, unknown>, string?][] = [
  ['nothing demanded, nothing said', {}, {}],
  ['nothing demanded, whatever is said', {}, { acr: 7, auth_time: 'x' }],
  ['the method that is asked for', asked, { acr: mfa }],
  ['another that is accepted', { ...asked, acceptedContexts: ['phr'] }, { acr: 'phr' }],
  ['only accepted ones', { acceptedContexts: ['phr', 'phrh'] }, { acr: 'phrh' }],
  ['another method', asked, { acr: '0' }, 'jwt.context_mismatch'],
  ['no method', asked, {}, 'jwt.context_mismatch'],
  ['null for a method', asked, { acr: null }, 'jwt.context_mismatch'],
  ['in other letters', asked, { acr: mfa.toUpperCase() }, 'jwt.context_mismatch'],
  ['with a space', asked, { acr: `${mfa} ` }, 'jwt.context_mismatch'],
  ['Attack: a list of methods', asked, { acr: [mfa] }, 'jwt.claim_invalid'],
  ['Attack: an object', asked, { acr: { [mfa]: true } }, 'jwt.claim_invalid'],
  ['amr is no acr', asked, { amr: [mfa] }, 'jwt.context_mismatch'],
  ['just now', young, { auth_time: now }],
  ['just young enough', young, { auth_time: now - 16 * 60 }],
  ['a second too old', young, { auth_time: now - 16 * 60 - 1 }, 'jwt.authentication_too_old'],
  ['last week', young, { auth_time: now - 7 * 86_400 }, 'jwt.authentication_too_old'],
  ['no time', young, {}, 'jwt.authentication_too_old'],
  ['null for a time', young, { auth_time: null }, 'jwt.authentication_too_old'],
  ['1970', young, { auth_time: 0 }, 'jwt.authentication_too_old'],
  ['Attack: in the future', young, { auth_time: now + 3600 }, 'jwt.from_the_future'],
  ['Attack: a text for a time', young, { auth_time: String(now) }, 'jwt.claim_invalid'],
  ['milliseconds for seconds', young, { auth_time: now * 1000 }, 'jwt.claim_invalid'],
  ['both', { ...asked, ...young }, { acr: mfa, auth_time: now }],
  [
    'the method is right, the time is not',
    { ...asked, ...young },
    { acr: mfa, auth_time: now - 86_400 },
    'jwt.authentication_too_old',
  ],
  [
    'the time is right, the method is not',
    { ...asked, ...young },
    { acr: '0', auth_time: now },
    'jwt.context_mismatch',
  ],
]
for (const [name, settings, claims, reason] of cases) {
  t.test(name, async t => {
    const portal = createPortal(settings)
    const verdict = await portal.accept(await signed(portal.claims(claims)))
    t.equal(verdict.reason, reason, JSON.stringify(verdict.checks.at(-1)))
    t.equal(verdict.identity === undefined, reason !== undefined)
  })
}

t.test('what the token says is passed on', async t => {
  const portal = createPortal()
  const { identity } = await portal.accept(await signed(portal.claims({ acr: mfa, auth_time: now - 5 })))
  t.same(identity?.authentication, { context: mfa, at: (now - 5) * 1000 })
})

const step = { origin: 'o', agent: 'a', context: [mfa] }
const steps: [string, Partial<JwtSettings>, object, Record<string, unknown>, string?][] = [
  ['its context', {}, {}, { acr: mfa }],
  ['another', {}, {}, { acr: '0', auth_time: now }, 'jwt.context_mismatch'],
  ["in the place of the provider's own", { authnContext: ['0'] }, {}, { acr: mfa }],
  ["the provider's own is not enough", { authnContext: ['0'] }, {}, { acr: '0' }, 'jwt.context_mismatch'],
  [
    "no context: the provider's own",
    asked,
    { context: [], maxAge: minute },
    { auth_time: now },
    'jwt.context_mismatch',
  ],
  ['young enough', {}, { context: [], maxAge: minute }, { auth_time: now - 60 }],
  [
    'a second too old, whatever the skew',
    {},
    { context: [], maxAge: minute },
    { auth_time: now - 61 },
    'jwt.authentication_too_old',
  ],
  ['no time', {}, { context: [], maxAge: minute }, {}, 'jwt.authentication_too_old'],
  ['to come', {}, { context: [], maxAge: minute }, { auth_time: now + 120 }, 'jwt.from_the_future'],
  [
    "the provider's own age counts too",
    { maxAuthAge: 0 },
    { maxAge: 60 * minute },
    { acr: mfa, auth_time: now - 90 },
    'jwt.authentication_too_old',
  ],
]
for (const [name, settings, stepUp, claims, reason] of steps) {
  t.test(`step-up: ${name}`, async t => {
    const portal = createPortal(settings)
    const begun = { id: 'x'.repeat(22), provider: 'portal', returnTo: '/', startedAt: now * 1000, used: false }
    const attempt = { ...begun, stepUp: { ...step, ...stepUp } }
    const browser = { state: attempt.id, attempt: (id: string) => (id === attempt.id ? attempt : undefined) }
    const verdict = await portal.accept(await signed(portal.claims(claims)), browser)
    t.equal(verdict.reason, reason, JSON.stringify(verdict.checks.at(-1)))
    t.same(verdict.attempt, attempt)
  })
}

t.test('step-up: what is asked of the provider', async t => {
  const { provider } = createPortal({ loginUrl: 'https://portal.example.com/login?tenant=7' })
  const begun = { id: 'x'.repeat(22), provider: 'portal', returnTo: '/', startedAt: now * 1000, used: false }
  const askedOf = async (stepUp: object) => {
    const navigation = await provider.begin({ ...begun, stepUp: { ...step, ...stepUp } })
    const query = new URL('redirect' in navigation ? navigation.redirect : '').searchParams
    return [query.get('tenant'), query.get('acr_values'), query.get('max_age')]
  }
  t.same(await askedOf({}), ['7', mfa, null])
  t.same(await askedOf({ context: [mfa, 'phr'], maxAge: 15 * minute }), ['7', `${mfa} phr`, '900'])
  t.same(await askedOf({ context: [], maxAge: 1500 }), ['7', null, '1'])
})

t.test('Attack: an auth_time to come is no time, where nothing is demanded', async t => {
  const portal = createPortal()
  const { identity } = await portal.accept(await signed(portal.claims({ acr: mfa, auth_time: now + 3600 })))
  t.same(identity?.authentication, { context: mfa })
})
