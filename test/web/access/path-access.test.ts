// access.paths: who may reach what, from where. These rules close doors: whatever some server could take a path for is held against them.

import fc from 'fast-check'
import t from 'tap'
import type { Agent } from '../../../src/core/directory.js'
import type { StepUp } from '../../../src/core/identity.js'
import type { Session } from '../../../src/core/sessions.js'
import { compilePathAccess, type PathRule } from '../../../src/web/access/path-access.js'
import type { Asker, RequestContext } from '../../../src/web/context.js'
import { readTarget, type Target } from '../../../src/web/request/target.js'
import { createTestClock } from '../../parts/clock.js'

const rules = compilePathAccess([
  { match: '/admin/*', roles: ['admin', 'root'] },
  { match: '/admin/billing/*', roles: ['billing'] },
  { match: 'DELETE /tickets/*', roles: ['lead'] },
  { match: '/reports', roles: ['lead'] },
])

function asker(agent: Partial<Agent> = {}, provider = 'corp'): Asker {
  return { agent: { email: 'ada@example.com', roles: [], ...agent }, provider }
}

function request(facts: Partial<RequestContext>): RequestContext {
  return { address: '192.0.2.7', unproven: false, ...facts } as RequestContext
}

/** Undefined: it is refused before any rule is asked. */
function may(roles: string[], raw: string, method = 'GET'): boolean | StepUp | undefined {
  const target = readTarget(raw)
  return target && rules.permits(asker({ roles }), method, request({ target }))
}

t.test('a path that a rule names needs one of its roles', async t => {
  for (const path of ['/admin/', '/admin/users', '/admin/users?x=/', '/reports']) {
    t.equal(may([], path), false, path)
    t.equal(may(['agent', 'Admin', 'admin '], path), false, path)
    t.equal(may(['agent', 'admin', 'lead'], path), true, path)
  }
  t.equal(may(['root'], '/admin/users'), true, 'either role will do')
  for (const path of ['/', '/administrator', '/tickets/7', '/x/admin/', '/?/admin/', '/reports2', '/reports/7']) {
    t.equal(may([], path), true, path)
  }
})

t.test('every rule that matches counts', async t => {
  t.equal(may(['admin'], '/admin/billing/7'), false)
  t.equal(may(['billing'], '/admin/billing/7'), false)
  t.equal(may(['billing', 'root'], '/admin/billing/7'), true)
})

t.test('a rule with a method holds for that method', async t => {
  t.equal(may([], '/tickets/7', 'DELETE'), false)
  t.equal(may(['lead'], '/tickets/7', 'DELETE'), true)
  t.equal(may([], '/tickets/7', 'POST'), true)
  const read = compilePathAccess([{ match: 'GET /secret', roles: ['x'] }])
  const target = readTarget('/secret')
  if (target) t.equal(read.permits(asker(), 'HEAD', request({ target })), false, 'GET means HEAD too')
})

t.test('Attack: other spellings of a path do not slip past its rule', async t => {
  const spellings = [
    '/admin',
    '/Admin/users',
    '/ADMIN/USERS',
    '/%61dmin/users',
    '/%41dmin/users',
    '/admin%2Fusers',
    '/admin%2fusers',
    '/admin/%2e%2e%2fadmin/users',
    '/admin;x=1/users',
    '/admin;/users',
    '/admin%3Bx/users',
    '/%2561dmin/users',
    '/%25%36%31dmin/users',
    '/%252561dmin/users',
    '/admin%252Fusers',
    '/admin//users',
    '/x;/..;/admin/users',
    '/x/..;/admin/users',
    '/x/%2e%2e%3b/admin/users',
    '/x/%25252e%25252e/admin/users',
    '/x%255c..%255cadmin',
    '/admin/./users',
    '//admin/users',
    '/reports/',
    '/reports;x',
    '/reports%3Bx',
    '/report%C5%BF',
  ]
  for (const path of spellings) t.not(may(['agent'], path), true, path)
})

t.test('Attack: a server that decodes again, trims names or composes letters sees the path of the rule', async t => {
  const { permits } = compilePathAccess([
    { match: '/admin', roles: ['admin'] },
    { match: '/files/*', roles: ['admin'] },
    { match: '/café/*', roles: ['admin'] },
  ])
  const may = (path: string) => {
    const target = readTarget(path)
    return target === undefined ? 'refused' : permits(asker(), 'GET', request({ target }))
  }
  for (const path of [
    ...[
      '/admin%3Fx',
      '/admin%3f',
      '/admin%23x',
      '/admin/%3Fx=/y',
      '/ADMIN%3F/y',
      '/admin%253Fx',
      '/admin;a%3Fx',
      '/admin%3Fx;y',
    ],
    ...['/admin.', '/admin%20', '/admin..%20.', '/files./x', '/files%20/x', '/files%20.%3Fx', '/admin.;x'],
    ...['/cafe%CC%81/x', '/CAFE%CC%81/x', '/cafe%CC%81./x', '/caf%C3%A9%20/x'],
  ])
    t.equal(may(path), false, path)
  for (const path of [
    '/admins%3Fx',
    '/a%3Fdmin',
    '/x%3F/admin',
    '/v1.0/admin',
    '/file.s/x',
    '/files.txt',
    '/cafe/x',
    '/x%23/files/',
  ])
    t.equal(may(path), true, path)
})

t.test('ambiguous paths that no rule could mean pass', async t => {
  for (const path of [
    '/files/a%2Fb',
    '/search/100%25',
    '/tickets;v=1/7',
    '/group%2Fproject/x',
    '/a%25b',
    '/x%2Fadministrator',
  ]) {
    t.equal(may(['agent'], path), true, path)
  }
})

t.test('an agent with all roles passes, however a path is spelt', async t => {
  const all = ['admin', 'billing', 'lead']
  for (const path of ['/admin%2Fusers', '/admin;x/users', '/a%252525252fb']) t.equal(may(all, path), true, path)
})

t.test('attack: a long path that could be many is not read in every way: it meets every rule', async t => {
  for (const path of [`/x${'%2525253B'.repeat(880)}`, `/x/${'a;/'.repeat(25)}`, `/x;y/${'a'.repeat(1100)}`]) {
    t.equal(may(['agent'], path), false, path.slice(0, 20))
    t.equal(may(['admin', 'billing', 'lead'], path), true, path.slice(0, 20))
  }
  for (const path of [`/x/${'a;/'.repeat(20)}`, `/x/${'a'.repeat(8000)}`]) {
    t.equal(may(['agent'], path), true, path.slice(0, 20))
  }
})

t.test('without rules everybody may reach everything', async t => {
  const none = compilePathAccess([])
  const target = readTarget('/admin%2Fusers')
  if (target) t.equal(none.permits(asker(), 'GET', request({ target })), true)
})

t.test('kinds in one rule are all required, and the values of a kind are alternatives', async t => {
  const { permits } = compilePathAccess([
    {
      match: '/pay/*',
      roles: ['lead', 'admin'],
      emails: ['ada@example.com', 'bob@example.org'],
      domains: ['example.com', 'example.org'],
      providers: ['corp', 'desk'],
      from: ['192.0.2.0/24', '2001:db8::/32'],
    },
  ])
  const target = readTarget('/pay/7')
  if (!target) throw new Error('no target')
  const good = { email: 'ada@example.com', roles: ['x', 'lead'] }
  const cases: [string, Asker, Partial<RequestContext>, boolean][] = [
    ['all of them', asker(good), {}, true],
    ['the others', asker({ email: 'bob@example.org', roles: ['admin'] }, 'desk'), { address: '2001:db8::1' }, true],
    ['no role', asker({ ...good, roles: ['Lead'] }), {}, false],
    ['another address', asker({ ...good, email: 'eve@example.com' }), {}, false],
    ['another provider', asker(good, 'breakglass'), {}, false],
    ['elsewhere', asker(good), { address: '198.51.100.7' }, false],
    ['elsewhere, IPv6', asker(good), { address: '2001:db9::1' }, false],
    ['an unknown place', asker(good), { address: 'unknown' }, false],
    ['no address at all', asker(good), { address: '' }, false],
    ['a proxy that nobody trusts', asker(good), { unproven: true }, false],
  ]
  for (const [what, who, facts, expected] of cases)
    t.equal(permits(who, 'GET', request({ target, ...facts })), expected, what)
  const domain = compilePathAccess([{ match: '/pay/*', domains: ['example.com'] }])
  for (const email of ['a@sub.example.com', 'a@example.com.evil.org', 'a@notexample.com', 'example.com@evil.org']) {
    t.equal(domain.permits(asker({ email }), 'GET', request({ target })), false, email)
  }
  const mapped = compilePathAccess([{ match: '/pay/*', from: ['::ffff:192.0.2.0/120'] }])
  t.equal(mapped.permits(asker(), 'GET', request({ target })), true, 'an IPv4-mapped network is one of IPv4')
})

t.test('the rules of a request can be asked for, each with its requirements', async t => {
  const access = compilePathAccess([
    { match: '/a/*', roles: ['x'] },
    { match: 'POST /a/b', emails: ['ada@example.com'] },
    { match: '/c', from: ['10.0.0.0/8'] },
  ])
  const rulesFor = (method: string, raw: string) => {
    const target = readTarget(raw)
    return (
      target &&
      access.rulesFor(method, target).map(({ match, requirements }) => [match, ...requirements.map(one => one.kind)])
    )
  }
  t.same(rulesFor('GET', '/a/b'), [['/a/*', 'roles']])
  t.same(
    new Set(rulesFor('POST', '/A/b/')),
    new Set([
      ['POST /a/b', 'emails'],
      ['/a/*', 'roles'],
    ]),
  )
  t.same(rulesFor('GET', '/x'), [])
  t.equal(rulesFor('GET', '/a%25252525252b')?.length, 2, 'a path that could be any meets every rule')
})

t.test('the index finds the rules that a look at each would find', async () => {
  const piece = fc.constantFrom('a', 'A', 'b', 'ab', '/', 'admin', '.json', '-')
  const path = fc.array(piece, { maxLength: 6 }).map(parts => `/${parts.join('')}`.replace(/\/{2,}/g, '/'))
  const rule = fc.record({ path, open: fc.boolean() }).map(({ path, open }) => path + (open ? '*' : ''))
  const applies = (pattern: string, asked: string) => {
    const read = asked.toLowerCase()
    const open = pattern.endsWith('*')
    const path = (open ? pattern.slice(0, -1) : pattern).toLowerCase()
    const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    return read === bare || read === `${bare}/` || (open && read.startsWith(path))
  }
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 30 }), path, (patterns, asked) => {
      const { rulesFor } = compilePathAccess(patterns.map((match): PathRule => ({ match, roles: ['x'] })))
      const target = readTarget(asked)
      if (!target) return true
      const found = rulesFor('GET', target).map(({ match }) => match)
      return (
        found.sort().join(' ') ===
        patterns
          .filter(pattern => applies(pattern, asked))
          .sort()
          .join(' ')
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('Attack: thousands of rules, each a prefix of the next, and as many addresses', async t => {
  const rules = Array.from({ length: 5000 }, (_, i) => ({
    match: `/${'x'.repeat(i % 50)}${i}/*`,
    from: ['10.0.0.0/8'],
  }))
  const { permits } = compilePathAccess(rules)
  const began = performance.now()
  for (let i = 0; i < 20_000; i++) {
    const target = { raw: '/', path: `/${'x'.repeat(i % 50)}${i % 5000}/y`, query: '', ambiguous: false }
    permits(asker(), 'GET', request({ target, address: `2001:db8::${i.toString(16)}` }))
  }
  t.ok(performance.now() - began < 5000, 'and no request waits for it')
})

t.test('context and maxAge: by the login of the session', t => {
  const clock = createTestClock()
  const { permits, rulesFor } = compilePathAccess(
    [
      { match: '/a/*', context: ['x', 'y'] },
      { match: '/a/b/*', context: ['y', 'z'], maxAge: 60_000 },
      { match: '/a/b/c', maxAge: 30_000, roles: ['admin'] },
      { match: '/a/d', context: ['w'] },
      { match: 'POST /e', maxAge: 10_000 },
    ],
    clock,
  )
  const may = (path: string, authentication: Session['authentication'], roles: string[] = [], method = 'GET') => {
    const target = readTarget(path)
    if (!target) throw new Error('no target')
    const who = { ...asker({ roles }), ...(authentication ? { authentication } : {}) }
    return permits(who, method, request({ target }))
  }
  const now = clock.now()
  t.equal(may('/a/1', { context: 'x' }), true)
  t.equal(may('/A//1;q', { context: 'y' }), true)
  for (const wrong of [undefined, {}, { context: 'X' }, { context: 'xy' }, { at: now }])
    t.same(may('/a/1', wrong), { context: ['x', 'y'] })
  t.same(may('/a/b/1', { context: 'x', at: now }), { context: ['y'], maxAge: 60_000 }, 'what meets both')
  t.equal(may('/a/b/1', { context: 'y', at: now - 60_000 }), true)
  t.equal(may('/a/b/1', { context: 'y', at: now + 59_000 }), true, 'by the clock of another replica')
  // Attack: a clock that was ahead at the login and has been set back. What is to come is never too old.
  for (const at of [
    now - 61_000,
    now + 61_000,
    now + 86_400_000,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
  ])
    t.same(may('/a/b/1', { context: 'y', at }), { context: ['y'], maxAge: 60_000 })
  t.equal(may('/a/b/c', { context: 'x' }), false, 'no login makes an admin')
  t.same(may('/a/b/c', { context: 'x' }, ['admin']), { context: ['y'], maxAge: 30_000 })
  t.equal(may('/a/d', { context: 'w' }), false, 'no login has two contexts')
  t.equal(may('/e', undefined), true)
  t.same(may('/e', undefined, [], 'POST'), { context: [], maxAge: 10_000 })
  clock.move(31_000)
  t.same(may('/a/b/c', { context: 'y', at: now }, ['admin']), { context: ['y'], maxAge: 30_000 }, 'it grows old')
  const kinds = rulesFor('GET', readTarget('/a/b/c') as Target).map(rule => rule.requirements.map(({ kind }) => kind))
  t.same(kinds.flat().sort(), ['context', 'context', 'maxAge', 'maxAge', 'roles'])
  t.end()
})
