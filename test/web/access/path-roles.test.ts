// access.paths: who may reach what. These rules close doors: whatever some server could take a path for is held against them.

import t from 'tap'
import { compilePathRoles } from '../../../src/web/access/path-roles.js'
import { readTarget } from '../../../src/web/request/target.js'

const rules = compilePathRoles([
  { match: '/admin/*', roles: ['admin', 'root'] },
  { match: '/admin/billing/*', roles: ['billing'] },
  { match: 'DELETE /tickets/*', roles: ['lead'] },
  { match: '/reports', roles: ['lead'] },
])

/** Undefined: it is refused before any rule is asked. */
function may(roles: string[], raw: string, method = 'GET'): boolean | undefined {
  const target = readTarget(raw)
  return target && rules({ roles }, method, target)
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
  const read = compilePathRoles([{ match: 'GET /secret', roles: ['x'] }])
  const target = readTarget('/secret')
  if (target) t.equal(read({ roles: [] }, 'HEAD', target), false, 'GET means HEAD too')
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

t.test('without rules everybody may reach everything', async t => {
  const none = compilePathRoles([])
  const target = readTarget('/admin%2Fusers')
  if (target) t.equal(none({ roles: [] }, 'GET', target), true)
})
