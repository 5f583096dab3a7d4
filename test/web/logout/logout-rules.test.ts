// desk.logout by path, by a pair of the query, and by the cookie that Desk's response expires.

import t from 'tap'
import { createReader } from '../../../src/config/reader.js'
import { type DeskLogoutRule, desk } from '../../../src/config/schema/desk.js'
import { compileLogoutRules } from '../../../src/web/logout/desk-logout.js'
import { readTarget } from '../../../src/web/request/target.js'

const now = Date.UTC(2026, 10, 22)

function applies(rules: DeskLogoutRule[], request: string, received: string[] = []): boolean {
  const [method = '', path = ''] = request.split(' ')
  const target = readTarget(path)
  return target !== undefined && compileLogoutRules(rules)(method, target, received, now)
}

t.test('a pair of the query', t => {
  const rules = ['GET /?@action=logout', '/index.php*?do=log out', 'GET /bye']
  for (const request of [
    'GET /?@action=logout',
    'GET /?x=1&@action=logout&y',
    'GET /?x=1;@action=logout',
    'GET /?%40action=logout',
    'GET /?%40action=log%6Fut',
    'POST /index.php/a?do=log+out',
    'POST /index.php?do=log%20out',
    'GET /bye?whatever',
  ])
    t.equal(applies(rules, request), true, request)
  for (const request of [
    'GET /',
    'GET /?@action=logout2',
    'GET /?x@action=logout',
    'GET /?@action=logoutx&a',
    'POST /?@action=logout',
    'GET /x?@action=logout',
    'GET /?@action=%zz&logout',
    'GET /index.php?do=log',
    'GET //?@action=logout',
    'GET /%2F?@action=logout',
  ])
    t.equal(applies(rules, request), false, request)
  t.end()
})

t.test('a cookie that the response expires', t => {
  const rules = [{ cookie: '_desk' }]
  const cookie = (...lines: string[]) =>
    applies(
      rules,
      'GET /any',
      lines.flatMap(line => ['Set-Cookie', line]),
    )
  for (const line of [
    '_desk=; Max-Age=0',
    '_desk=x; max-age=-1; Path=/',
    '_desk=; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    '_desk=; path=/; expires=Thu, 01-Jan-1970 00:00:01 GMT; HttpOnly',
    '_desk=; Expires=Sat, 21 Nov 2026 23:59:59 GMT',
    '_desk=; Max-Age=100; Max-Age=0',
    '_desk=; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0',
  ])
    t.equal(cookie(line), true, line)
  for (const line of [
    '_desk=new; Path=/',
    '_desk=',
    '_desk=; Max-Age=60',
    '_desk=; Expires=Sun, 22 Nov 2026 00:00:01 GMT',
    '_desk=; Expires=never',
    '_desk=; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    '_desk2=; Max-Age=0',
    'x=_desk; Max-Age=0',
    '_Desk=; Max-Age=0',
    '=_desk=; Max-Age=0',
  ])
    t.equal(cookie(line), false, line)
  t.equal(cookie('_desk=; Max-Age=0', '_desk=new; Path=/'), false, 'a new one in its place is no logout')
  t.equal(cookie('a=b', '_desk=; Max-Age=0'), true)
  t.equal(applies(rules, 'GET /any', ['X-Set-Cookie', '_desk=; Max-Age=0']), false)
  t.end()
})

t.test('what the setting takes', t => {
  const schema = desk(createReader({ folder: '.', env: {} }))
  const taken = (logout: unknown) => schema.safeParse({ url: 'http://desk.internal', logout: [logout] }).success
  for (const rule of ['GET /logout', '/a/*', 'GET /?@action=logout', '/x*?a=', { cookie: '_desk_session' }])
    t.equal(taken(rule), true, JSON.stringify(rule))
  for (const rule of [
    'GET /?logout',
    '/?a=b&c=d',
    '/?a=b;c=d',
    '/?=b',
    '/?a=%20',
    'logout',
    { cookie: '' },
    { cookie: 'a b' },
    {},
    7,
  ])
    t.equal(taken(rule), false, JSON.stringify(rule))
  t.end()
})
