import t from 'tap'
import { createCookies } from '../../../src/web/request/cookies.js'
import { compilePathRules, createPaths } from '../../../src/web/request/paths.js'
import { readTarget } from '../../../src/web/request/target.js'

t.test('a rule opens exactly what it names', async t => {
  const rules = compilePathRules(['GET /assets/*', '/open', 'POST /hook', '/x*'])
  const fits = (method: string, raw: string) => {
    const target = readTarget(raw)
    return target !== undefined && rules(method, target)
  }
  const open: [string, string][] = [
    ['GET', '/assets/'],
    ['GET', '/assets/a/b.css'],
    ['HEAD', '/assets/a'],
    ['GET', '/%61ssets/a'],
    ['GET', '/assets/a?/../x'],
    ['GET', '/open'],
    ['DELETE', '/open'],
    ['GET', '/open?x=1'],
    ['POST', '/hook'],
    ['GET', '/x'],
    ['GET', '/xyz/a'],
    ['GET', '/assets/..foo'],
  ]
  const shut: [string, string][] = [
    ['POST', '/assets/a'],
    ['OPTIONS', '/assets/a'],
    ['get', '/assets/a'],
    ['GET', '/assets'],
    ['GET', '/Assets/a'],
    ['GET', '/ASSETS/a'],
    ['GET', '/open/'],
    ['GET', '/openx'],
    ['GET', '/OPEN'],
    ['GET', '/hook'],
    ['GET', '/a?/open'],
    ['GET', '/a?x=/assets/a.css'],
    ['GET', '/assets%2Fa'],
    ['GET', '/assets/%2561'],
    ['GET', '/assets/a;b'],
    ['GET', '/assets/a%3bb'],
    ['GET', '/admin%3f/assets/'],
    ['GET', '/a/assets/x'],
  ]
  for (const [method, raw] of open) t.equal(fits(method, raw), true, `${method} ${raw} is open`)
  for (const [method, raw] of shut) t.equal(fits(method, raw), false, `${method} ${raw} is shut`)
  t.equal(compilePathRules([])('GET', { raw: '/', path: '/', query: '', ambiguous: false }), false)
})

t.test('the gateway owns its prefix in any spelling, and the callback paths under any prefix', async t => {
  const paths = createPaths('/sso')
  for (const path of [
    '/sso',
    '/sso/',
    '/sso/x',
    '/SSO/login',
    '/Sso',
    '/sso;x',
    '/sso;x/login',
    '/auth/jwt',
    '/auth/jwt/corp',
    '/auth/jwt/callback',
    '/auth/saml/acs',
  ]) {
    t.equal(paths.owns(path), true, path)
  }
  for (const path of ['/', '/ssox', '/ss', '/auth', '/auth/login', '/x/sso', '/auth/jwtx'])
    t.equal(paths.owns(path), false, path)
})

t.test('Desk never gets the callback paths in a spelling that it might read as theirs', async t => {
  const paths = createPaths('/sso')
  for (const path of [
    '/AUTH/saml/acs',
    '/auth/SAML/acs',
    '/auth/saml/acs/',
    '/auth/saml/acs;x',
    '/Auth/JWT',
    '/auth/jwt/',
    '/auth/jwt/Corp',
    '/auth/jwt/a/b',
    '/auth/jwt;x=1',
  ]) {
    t.equal(paths.owns(path), true, path)
  }
})

t.test('the session cookie is read by its exact name, once, in its exact form', async t => {
  const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
  const value = 'A'.repeat(43)
  const good = `__Host-deskgate=${value}`
  t.equal(cookies.readSession(good), value)
  t.equal(cookies.readSession(`a=b; ${good}; c=d`), value)
  t.equal(cookies.readSession(`a=b;${good}`), value)
  const none = [
    undefined,
    '',
    'a=b',
    '__Host-deskgate',
    '__Host-deskgate=',
    `${good}; ${good}`,
    `${good};${good}`,
    `${good}; __Host-deskgate=x`,
    ` ${good}; x=1`.replace(' ', '\u2000'),
    `\t${good}`,
    `  ${good}`,
    `__Host-deskgate =${value}`,
    `__host-deskgate=${value}`,
    `x__Host-deskgate=${value}`,
    `__Host-deskgate="${value}"`,
    `${good}A`,
    `__Host-deskgate=${value.slice(1)}`,
    `__Host-deskgate=${'%41'.repeat(43)}`,
    `__Host-deskgate=${value.slice(1)}=`,
    `deskgate=${value}`,
    `${good}, x=1`,
    `${good} `,
  ]
  for (const header of none) t.equal(cookies.readSession(header), undefined, JSON.stringify(header))
})

t.test("Desk never sees the gateway's cookies, and can set none of them", async t => {
  const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
  t.equal(cookies.withoutGatewayCookies('a=b; c=d'), 'a=b; c=d')
  t.equal(cookies.withoutGatewayCookies('a=b;  c="d;e"'), 'a=b;  c="d;e"', 'bytes stay as they were')
  t.equal(
    cookies.withoutGatewayCookies(
      '__Host-deskgate=x; a=b; __Host-deskgate-login.abc=y; c=deskgate; __Secure-deskgate-seen=z',
    ),
    'a=b; c=deskgate',
  )
  t.equal(cookies.withoutGatewayCookies('__Host-deskgate=x'), undefined)
  t.equal(cookies.withoutGatewayCookies(' __Host-deskgate =x; a=1'), 'a=1')
  t.equal(cookies.withoutGatewayCookies('a=1; __Host-deskgate=x; __Host-deskgate=y'), 'a=1')
  t.equal(cookies.withoutGatewayCookies('my-deskgate=1'), 'my-deskgate=1')
  for (const mine of [
    '__Host-deskgate=x; Path=/',
    ' __Host-deskgate = x',
    '__Host-deskgate-login.z=1',
    '__Secure-deskgate-seen=; Max-Age=0',
    '__Host-deskgate',
    '=__Host-deskgate=x; Path=/',
    ' = =__Host-deskgate=x',
    '\t__Host-deskgate=x',
    '__Host-deskgate=x; Domain=example.com',
    '__Host-deskgate-desk=x',
  ]) {
    t.equal(cookies.setsGatewayCookie(mine), true, mine)
  }
  for (const theirs of ['a=__Host-deskgate=x', 'session=1; Path=/', 'deskgatex=1', ''])
    t.equal(cookies.setsGatewayCookie(theirs), false, theirs)
})
