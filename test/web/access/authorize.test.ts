// The one decision: what it lets pass, how it refuses, when it waits, and which requests keep a session alive.

import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Session } from '../../../src/core/sessions.js'
import { createAuthenticate, createGuard, createRecheck } from '../../../src/web/access/authorize.js'
import type { ConfigSnapshot, RequestContext } from '../../../src/web/context.js'
import { createCookies } from '../../../src/web/request/cookies.js'
import { createPaths } from '../../../src/web/request/paths.js'
import { readTarget } from '../../../src/web/request/target.js'

const session = { handle: 'h' } as Session

t.test('sessions.idleIgnore: polling is let in and is not activity; what cannot be read in one way is', async t => {
  const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
  const name = cookies.session
  const idleRules = ['/api/poll', 'GET /feed/*']
  const cases: [string, string, boolean][] = [
    ['GET', '/api/poll', false],
    ['POST', '/api/poll?since=7', false],
    ['GET', '/api/%70oll', false],
    ['GET', '/api/polls', true],
    ['GET', '/feed/a', false],
    ['HEAD', '/feed/a', false],
    ['POST', '/feed/a', true],
    ['GET', '/feed/a;x', true],
    ['GET', '/', true],
  ]
  for (const known of [true, false]) {
    for (const [method, url, active] of cases) {
      let touched = 0
      const sessions = {
        peek: () => (known ? session : undefined),
        read: async () => session,
        verify: async () => session,
        touch: () => {
          touched++
        },
      }
      const guard = createGuard({
        paths: createPaths('/auth'),
        publicRules: [],
        rulesFor: () => [],
        pathAccess: () => true,
        idleRules,
        providers: ['corp'],
        authenticate: createAuthenticate({ cookies, sessions, handleOf: () => 'h' }),
        sessions,
        bearer: undefined,
        observes: () => false,
      })
      const request = { method, url, rawHeaders: ['Cookie', `${name}=${'x'.repeat(43)}`] } as IncomingMessage
      const target = readTarget(url)
      if (!target) throw new Error('no target')
      const context = { target, routeClass: 'protected' } as RequestContext
      t.same(await guard.authorize(request, context), { kind: 'pass' })
      t.equal(context.session, session)
      t.equal(touched, active ? 1 : 0, `${method} ${url}`)
    }
  }
})

const token = 'token'
const admin = { email: 'ada@example.com', roles: ['admin'] }
const caller = {
  kind: 'api caller',
  agent: admin,
  provider: 'p',
  tokenHash: 'h',
  endsAt: 0,
  passThrough: false,
  marks: [],
} as const
const refusedToken = { kind: 'refuse bearer', reason: 'jwt.expired', report: () => {} } as const

function guardOf(changes: Partial<Parameters<typeof createGuard>[0]> = {}) {
  const known = { ...session, agent: admin } as Session
  const guard = createGuard({
    paths: createPaths('/auth'),
    publicRules: ['/open'],
    idleRules: [],
    rulesFor: () => [],
    pathAccess: ({ agent }, _, { target }) => target.path !== '/admin' || agent.roles.includes('admin'),
    authenticate: () => known,
    sessions: { touch: () => {}, verify: async () => known },
    providers: ['corp'],
    bearer: undefined,
    observes: () => false,
    ...changes,
  })
  const ask = (url: string, changes: Partial<RequestContext> = {}) => {
    const target = readTarget(url)
    if (!target) throw new Error('no target')
    const routeClass = guard.classify(target, 'GET')
    const context = { target, routeClass, outcome: 'own', ...changes } as RequestContext
    const request = { method: 'GET', url, rawHeaders: [] as string[] } as IncomingMessage
    return { verdict: guard.authorize(request, context), context }
  }
  return { guard, ask, known }
}

t.test('a known session passes at once, and no verdict is made for it', async t => {
  const { ask, known } = guardOf()
  const [one, two, open] = [ask('/x'), ask('/admin'), ask('/open')]
  t.same(one.verdict, { kind: 'pass' })
  t.equal(one.verdict, two.verdict, 'the same object')
  t.equal(one.verdict, open.verdict)
  t.match(one.context, { session: known, verdict: one.verdict, outcome: 'proxied' })
  t.match(open.context, { session: undefined, outcome: 'public' }, 'nobody is named on a public path')
})

t.test('everything else is refused, with the reason in the verdict', async t => {
  const nobody = guardOf({ authenticate: () => undefined })
  const guest = guardOf({ authenticate: () => ({ ...session, agent: { ...admin, roles: [] } }) as Session })
  const cases: [ReturnType<typeof nobody.ask>, string][] = [
    [nobody.ask('/x'), 'challenge'],
    [guest.ask('/admin'), 'forbidden'],
    [guest.ask('/auth/login'), 'not_found'],
    [guest.ask('/auth/%2f'), 'not_found'],
    [guest.ask('/x', { routeClass: 'unheard of' as never }), 'not_found'],
  ]
  for (const [{ verdict, context }, code] of cases) {
    t.same(verdict, { kind: 'refuse', code })
    t.equal(context.verdict, verdict)
  }
})

t.test('a miss is a promise; a store that is down is not a missing session; what fails is refused', async t => {
  const throws = () => {
    throw new Error('broken')
  }
  const cases: [() => Promise<Session | undefined>, object][] = [
    [async () => ({ ...session, agent: admin }), { kind: 'pass' }],
    [async () => undefined, { kind: 'refuse', code: 'challenge' }],
    [() => Promise.reject(new StoreUnavailable('down')), { kind: 'refuse', code: 'store_unavailable' }],
    [() => Promise.reject(new Error('broken')), { kind: 'refuse', code: 'internal' }],
  ]
  for (const [authenticate, expected] of cases) {
    const { verdict, context } = guardOf({ authenticate }).ask('/x')
    t.ok(verdict instanceof Promise)
    t.equal(context.verdict, undefined, 'not yet: until then nothing goes to Desk')
    t.same(await verdict, expected)
    t.same(context.verdict, expected)
  }
  for (const broken of [
    { authenticate: throws },
    { pathAccess: throws },
    { sessions: { touch: throws, verify: throws } },
  ]) {
    t.same(guardOf(broken).ask('/x').verdict, { kind: 'refuse', code: 'internal' })
  }
})

t.test('a request with a token is decided by the token alone', async t => {
  const bearer = (found: typeof caller | typeof refusedToken) =>
    guardOf({ bearer: { tokenOf: () => token, isOurs: () => true, verify: async () => found } })
  const good = bearer(caller).ask('/admin')
  t.same(await good.verdict, { kind: 'pass' })
  t.match(good.context, { api: caller, session: undefined, outcome: 'proxied' })
  const bad = bearer(refusedToken).ask('/x')
  t.equal(await bad.verdict, refusedToken)
  t.match(bad.context, { api: undefined, session: undefined })
})

t.test('what is open is asked again by the rules in force, and the context of the request stays as it was', async t => {
  let live = guardOf()
  const recheck = createRecheck(() => ({ pipeline: { guard: live.guard } }) as ConfigSnapshot)
  const { context } = live.ask('/admin')
  const request = { method: 'GET', url: '/admin', rawHeaders: [] as string[] } as IncomingMessage
  const who = { agent: admin, provider: 'p' }
  const guest = { agent: { ...admin, roles: [] }, provider: 'p' }
  t.equal(recheck.permit(who, request, context).kind, 'pass')
  t.same(recheck.permit(guest, request, context), { kind: 'refuse', code: 'forbidden' })
  live = guardOf({ pathAccess: () => false })
  t.same(recheck.permit(who, request, context), { kind: 'refuse', code: 'forbidden' }, 'after a reload')
  live = guardOf({ bearer: { tokenOf: () => token, isOurs: () => true, verify: async () => refusedToken } })
  t.match(await recheck.authorize(request, context), { verdict: refusedToken, session: undefined })
  t.match(context, { verdict: { kind: 'pass' }, session: { agent: admin } })
})

t.test('a login that is too weak: the session is read once more before its agent is asked', async t => {
  const stepUp = { context: ['mfa'] }
  const strong = { ...session, agent: admin, provider: 'corp', authentication: { context: 'mfa' } } as Session
  const weak = { ...strong, authentication: { context: 'pwd' } } as Session
  let reads = 0
  const open = (
    found: Session | undefined | Error,
    first: () => Session | Promise<Session> = () => weak,
    ids = ['corp'],
  ) => {
    const verify = async () => {
      reads++
      if (found instanceof Error) throw found
      return found
    }
    return guardOf({
      providers: ids,
      authenticate: first,
      sessions: { touch: () => {}, verify },
      pathAccess: ({ authentication }) => authentication?.context === 'mfa' || stepUp,
    }).ask('/x')
  }
  const asked = { kind: 'refuse', code: 'step_up', stepUp }
  const cases: [string, ReturnType<typeof open>, object, number][] = [
    ['strong enough: not read', open(weak, () => strong), { kind: 'pass' }, 0],
    ['stepped up elsewhere', open(strong), { kind: 'pass' }, 1],
    ['still weak', open(weak), asked, 1],
    ['ended, or moved', open(undefined), { kind: 'refuse', code: 'challenge' }, 1],
    ['the store is down', open(new StoreUnavailable('down')), { kind: 'refuse', code: 'store_unavailable' }, 1],
    ['read just now', open(strong, async () => weak), asked, 0],
    ['of a one-time link', open(weak, () => weak, ['other']), { kind: 'refuse', code: 'forbidden' }, 0],
  ]
  let expected = 0
  for (const [name, { verdict, context }, wanted, read] of cases) {
    t.same(await verdict, wanted, name)
    t.equal(context.session?.authentication?.context === 'mfa', 'kind' in wanted && wanted.kind === 'pass', name)
    expected += read
  }
  t.equal(reads, expected)
})

t.test('a bearer token never has a login that is strong enough', async t => {
  const bearer = { tokenOf: () => token, isOurs: () => true, verify: async () => caller }
  const { verdict } = guardOf({ bearer, pathAccess: () => ({ context: [], maxAge: 1 }) }).ask('/x')
  t.same(await verdict, { kind: 'refuse', code: 'forbidden' })
})
