// No spelling of a target makes a protected path public, takes one of the gateway's own paths to Desk, or is read one way
// here and another way there.

import t from 'tap'
import { startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { public: ['GET /public/*', '/health'] } } })
const moved = await startProxy({ deskUrl: desk.url, settings: { prefix: '/sso' } })
t.teardown(async () => {
  await proxy.close()
  await moved.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()

async function ask(target: string, options: { method?: string; cookie?: string; port?: number } = {}) {
  const before = desk.seen.length
  const line = `${options.method ?? 'GET'} ${target} HTTP/1.1`
  const answer = await sendRaw(
    options.port ?? proxy.port,
    rawRequest(line, options.cookie ? [`Cookie: ${options.cookie}`] : []),
  )
  return { status: answer.status, body: answer.body.toString(), reached: desk.seen.slice(before).map(({ url }) => url) }
}

t.test('public paths pass, whatever stands in the query', async t => {
  for (const target of [
    '/public/a',
    '/public/',
    '/health',
    '/health?x',
    '/public/a?/../admin',
    '/%70ublic/a',
    '/public/..foo',
    '/public/a?x=%00%zz',
  ]) {
    t.match(await ask(target), { status: 200, reached: [target] }, target)
  }
})

t.test('nothing makes a protected path public', async t => {
  const tricks = [
    '/PUBLIC/a',
    '/Public/a',
    '/public',
    '/public%2fa',
    '/public/a%2fb',
    '/public/%2541',
    '/public/a;x',
    '/public;/a',
    '/admin?/health',
    '/admin?x=/public/a.css',
    '/admin;/health',
    '/admin%3f/health',
    '/health/',
    '/health/x',
    '/HEALTH',
    '/admin/public/a',
    '/x//public/a',
    '/public\u2028'.slice(0, 7),
    '/healthz',
    '/public%2fadmin',
    '/public/a%252fb',
    '/public/%252fadmin',
    '/%2570ublic/a',
    '/p%2575blic/a',
    '/public%3b/a',
    '/public%23/a',
    '/public%3fa',
    '/admin?/public/a',
    '/admin?/../public/a',
    '/admin&/health',
    '/health%20',
    '/health.',
    '/health.css',
    '/%E2%80%A5/public/a',
    '/publ%C4%B1c/a',
    '/%EF%BD%90ublic/a',
    '/x/health',
    '/health/%70ublic/',
  ]
  for (const target of tricks) t.match(await ask(target), { status: 401, reached: [] }, target)
  for (const target of ['/public/a', '/admin'])
    for (const held of ['', cookie])
      t.match(await ask(target, { method: 'TRACE', cookie: held }), { status: 405, reached: [] }, `TRACE ${target}`)
  for (const method of ['POST', 'OPTIONS', 'PUT', 'PROPFIND'])
    t.match(await ask('/public/a', { method }), { status: 401, reached: [] }, method)
  t.match(await ask('/admin', { method: 'OPTIONS' }), { status: 401, reached: [] })
  t.match(await ask('/admin', { method: 'HEAD' }), { status: 401, reached: [] })
  const preflight = ['Origin: https://evil.example', 'Access-Control-Request-Method: DELETE']
  const before = desk.seen.length
  const answer = await sendRaw(proxy.port, rawRequest('OPTIONS /admin HTTP/1.1', preflight))
  t.match(answer, { status: 401 }, 'a preflight is no exception')
  t.strictSame(answer.all('access-control-allow-origin'), [])
  t.equal(desk.seen.length, before)
  t.match(await ask('/public/a', { method: 'HEAD' }), { status: 200 })
})

t.test('what cannot be read in one way is refused, with a session as without', async t => {
  const bad = [
    '/public/../admin',
    '/public/./a',
    '/public/..',
    '/public/%2e%2e/admin',
    '/public/%2E%2e/admin',
    '/public/.%2e/admin',
    '/public/..%2fadmin',
    '/public/%2e%2e%2fadmin',
    '/public/%252e%252e/admin',
    '/public/..%252fadmin',
    '/public/\\..\\..\\admin',
    '/public/x/\\..\\..\\..\\admin',
    '/public/%5c..%5cadmin',
    '/public/..;/admin',
    '/public/%00',
    '/public/a%00b',
    '/public/%0d%0aX-Agent-Email:%20evil',
    '/public/%ff',
    '/public/%',
    '/public/%zz',
    '//evil/public/a',
    '//public/a',
    '/%2fevil',
    'http://evil/public/a',
    'https://desk.example.com.evil.example/admin',
    'ftp://x/y',
    '*',
    '/public/a#b',
    '/admin#/../public/a',
    '/public/%c0%ae%c0%ae/admin',
    '/public%2f..%2fadmin',
    '/Public/..',
    '/public/a/%2E./%2e%2E/admin',
    '/public/..%00/admin',
    '/public/..%09/admin',
    '/public/%2e%2e;x=1/admin',
    '/public/%25%32%65%25%32%65/admin',
    '/public/..%255c..%255cadmin',
    '/public/%e0%80%ae%e0%80%ae/admin',
    '/public/%u002e%u002e/admin',
    '/public/\xef\xbc\x8e\xef\xbc\x8e/admin',
    '/public/\x7f',
    '/\\evil/public/a',
    '///public/a',
    '/.//public/a',
    '/public/%C2%85',
    'HTTP://desk.example.com@evil.example/public/a',
    'https:/public/a',
    'javascript:/public/a',
    'desk.example.com:443',
    'http://evil/auth/saml/acs',
    '/auth/saml/acs#x',
    '//auth/saml/acs',
    '/auth/../auth/login',
    '/auth/./login',
    '/%2e/auth/login',
    '/x/..%2fauth/login',
    '/auth\\login',
    '/auth/login%00',
    '/auth/%252e',
  ]
  for (const target of bad) {
    t.match(await ask(target), { status: 400, reached: [] }, target)
    t.match(await ask(target, { cookie }), { status: 400, reached: [] }, `${target} with a session`)
  }
  for (const line of [
    'GET  HTTP/1.1',
    'GET admin HTTP/1.1',
    'GET ?x HTTP/1.1',
    'GET /a b HTTP/1.1',
    'GET /a\tb HTTP/1.1',
    'GET /\xe9 HTTP/1.1',
    'GET /a\0 HTTP/1.1',
  ]) {
    t.equal((await sendRaw(proxy.port, rawRequest(line, [`Cookie: ${cookie}`]))).status, 400, JSON.stringify(line))
  }
})

t.test('an absolute-form target of our own host is judged by its path', async t => {
  t.match(await ask('https://desk.example.com/admin'), { status: 401, reached: [] })
  t.match(await ask('HTTP://DESK.example.com:80/public/../admin', { cookie }), { status: 400, reached: [] })
  t.match(await ask('https://desk.example.com/public/a'), { status: 200, reached: ['/public/a'] })
  t.match(await ask('http://desk.example.com:443/admin?x', { cookie }), { status: 200, reached: ['/admin?x'] })
  t.match(await ask('https://desk.example.com/auth/saml/acs', { method: 'POST', cookie }), { body: 'own', reached: [] })
  for (const path of ['/auth/nothing', '/AUTH/login', '/auth%2flogin'])
    t.match(await ask(`https://desk.example.com${path}`, { cookie }), { status: 404, reached: [] }, path)
  const bad = [
    'https://desk.example.com:8443/public/a',
    'https://desk.example.com./public/a',
    'https://x@desk.example.com/public/a',
    'https://desk.example.com\\public/a',
    'https://desk.example.com//public/a',
    'https://desk.example.com/public/%252e%252e/admin',
    'https://desk.example.com#/public/a',
    'ws://desk.example.com/public/a',
  ]
  for (const target of bad) t.match(await ask(target, { cookie }), { status: 400, reached: [] }, target)
})

t.test('with a session, Desk gets every other target byte for byte', async t => {
  const targets = [
    '/',
    '/a%2Fb',
    '/a;b=c',
    '/%61',
    '/100%25',
    '/a//b',
    '/..foo',
    '/.well-known/x',
    '/a/',
    '/?',
    '/a?',
    '/a?b=c?d&e=%2e%2e/..&f=\\"<>',
    '/a%3Fb',
    '/%E2%80%A5',
    '/%ef%bc%8f..%ef%bc%8f',
    '/A',
    `/${'x'.repeat(5000)}`,
    '/*',
    '/:x',
    '/a+b%20c',
    '/!$&\'()*+,=:@~[]^|{}"<>`',
  ]
  for (const target of targets) t.match(await ask(target, { cookie }), { status: 200, reached: [target] }, target)
})

t.test("no spelling of the gateway's own paths reaches Desk", async t => {
  for (const target of ['/auth/login', '/auth/login?x', '/%61uth/login', '/auth/%6cogin'])
    t.match(await ask(target), { status: 200, body: 'own', reached: [] }, target)
  const variants = [
    '/auth',
    '/auth/',
    '/auth/login/',
    '/auth/nothing',
    '/AUTH/login',
    '/Auth/saml/acs',
    '/auth;x/login',
    '/auth/login;x',
    '/auth%2flogin',
    '/auth/%2flogin',
    '/auth/log%2569n',
    '/aut%68;/login',
    '/auth//login',
    '/%41uth/login',
    '/auth/saml/acs/',
    '/auth/login%3f',
    '/auth/saml/acs;x',
    '/auth/saml/ACS',
    '/auth/saml%2facs',
    '/auth/%53aml/acs',
    '/%61uth%2fsaml%2facs',
    '/auth/saml//acs',
    '/auth/jwt%3bx',
    '/auth%3b/login',
    '/auth/login%20',
    '/auth/login.',
    '/auth/login%23',
  ]
  for (const target of variants) {
    for (const method of ['GET', 'POST', 'PROPFIND'])
      t.match(await ask(target, { method, cookie }), { status: 404, reached: [] }, `${method} ${target}`)
  }
  t.match(await ask('/authx', { cookie }), { status: 200, reached: ['/authx'] })
})

t.test('under another prefix the callback paths stay, in any spelling, and the rest of /auth is of Desk', async t => {
  const { cookie } = await moved.logIn()
  const at = { port: moved.port, cookie }
  t.match(await ask('/sso/login', at), { body: 'own', reached: [] })
  t.match(await ask('/auth/saml/acs', { ...at, method: 'POST' }), { body: 'own', reached: [] })
  for (const target of ['/auth/SAML/acs', '/auth/saml/acs/', '/auth/saml/acs;x', '/AUTH/jwt', '/SSO/x'])
    t.match(await ask(target, at), { status: 404, reached: [] }, target)
  t.match(await ask('/auth/login', at), { status: 200, reached: ['/auth/login'] })
})

t.test('CONNECT opens nothing, to nowhere and with nothing behind it', async t => {
  const before = desk.seen.length
  for (const target of ['evil:443', `127.0.0.1:${desk.port}`, 'desk.example.com:443', '/public/a', '*']) {
    for (const own of [[], [`Cookie: ${cookie}`]]) {
      const connection = openRaw(proxy.port)
      const inner = 'GET /inner HTTP/1.1\r\nHost: x\r\n\r\n'
      connection.send([`CONNECT ${target} HTTP/1.1`, 'Host: x', ...own, '', inner].join('\r\n'))
      await connection.ended()
      t.notMatch(connection.seen().toString(), /HTTP\/1\.1 [12]/, target)
    }
  }
  t.equal(desk.seen.length, before)
})

t.test('an encoded name that only looks like dots or slashes passes on a public path, as it was sent', async t => {
  for (const target of ['/public/%E2%80%A5/a', '/public/%ef%bc%8f..%ef%bc%8f', '/public/%EF%BC%8E%EF%BC%8E/a']) {
    t.match(await ask(target), { status: 200, reached: [target] }, target)
  }
  t.match(await ask(`/public/${'y'.repeat(300)}/${'z'.repeat(5000)}`), { status: 200 }, 'a long segment')
})

t.test('a line of the log has the path without query, and no one-time link', async t => {
  await ask('/admin?jwt=SECRET')
  t.match(proxy.lines.at(-1), { method: 'GET', path: '/admin', status: 401, outcome: 'unauthorized' })
  for (const path of ['/auth/breakglass/', '/AUTH/Breakglass/', '/auth/breakglass%2F', '/auth/x;y/breakglass/']) {
    await ask(`${path}SECRET`)
  }
  t.notMatch(JSON.stringify(proxy.lines), /SECRET/)
})
