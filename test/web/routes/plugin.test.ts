import t, { type Test } from 'tap'
import { createFakeProvider, type LoginServer, startLoginServer } from '../../parts/login-server.js'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

t.test('what is not listed under the prefix is 404, in any spelling and by any method', async t => {
  const gate = await open(t)
  const paths = [
    '/auth/x',
    '/auth/login/',
    '/auth/login/portal/x',
    '/auth/login;x',
    '/auth/%6cogin%2f',
    '/auth/login%3b',
    '/AUTH/login',
    '/Auth/jwt',
    '/auth/jwt/UPPER',
    '/auth/jwt/a/b',
    '/auth/saml/acs/',
    '/auth/saml/ACS',
    '/auth/saml/other/metadata',
    '/auth/jwks.json/',
    '/auth/verify',
    '/auth/breakglass/x',
    '/auth/..;/x',
  ]
  for (const path of paths) {
    const response = await gate.browser().visit(path)
    t.ok(
      response.statusCode === 404 || (path.includes('..') && response.statusCode === 400),
      `${path} ${response.statusCode}`,
    )
    t.match(response.headers['content-security-policy'], "default-src 'none'")
    const program = await gate.browser().fetch(path)
    t.equal(program.headers['content-type'], 'application/problem+json')
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'PROPFIND', 'MKCOL'] as const) {
    const response = await gate.app.inject({ method: method as 'PUT', url: '/auth/x' })
    t.equal(response.statusCode, 404, method)
  }
  const traced = await gate.app.inject({ method: 'TRACE' as 'PUT', url: '/auth/x' })
  t.equal(traced.statusCode, 405, 'TRACE, on every path')
  const posted = await gate.app.inject({ method: 'POST', url: '/auth/x', payload: { a: 1 } })
  t.equal(posted.statusCode, 404)
  for (const type of ['application/json', 'text/plain', 'text/xml', 'application/x-www-form-urlencoded']) {
    const headers = { 'content-type': type, 'content-length': '1' }
    const broken = await gate.app.inject({ method: 'POST', url: '/auth/x', headers, payload: '{' })
    t.equal(broken.statusCode, 404, type)
    t.equal(broken.headers['content-type'], 'application/problem+json')
  }
})

t.test('every answer is uncached, framed by nobody, and runs nothing that is not ours', async t => {
  const gate = await open(t, {
    providers: [createFakeProvider(), createFakeProvider({ id: 'b', formTargets: () => ['https://b.example'] })],
  })
  for (const path of ['/auth/login', '/auth/logout', '/auth/logged-out', '/auth/session', '/auth/none', '/auth/jwt']) {
    const { headers } = await gate.browser().visit(path)
    t.equal(headers['cache-control'], 'no-store', path)
    t.equal(headers['referrer-policy'], 'same-origin', path)
    t.equal(headers['x-content-type-options'], 'nosniff', path)
    const policy = String(headers['content-security-policy'])
    const inline = "; style-src 'sha256-[^' ]+'; script-src (?:'none'|'sha256-[^' ]+'); img-src data:"
    const page = /^text\/html/.test(String(headers['content-type'])) ? inline : ''
    t.match(
      policy,
      new RegExp(`^default-src 'none'; form-action [^;]+; base-uri 'none'; frame-ancestors 'none'${page}$`),
    )
    t.notMatch(policy, /unsafe|\*/)
    if (path === '/auth/login') t.match(policy, "form-action 'self' https://idp.example.com https://b.example https:;")
    t.equal(headers['strict-transport-security'], undefined, 'the whole host is not ours to bind')
  }
})

t.test('pages are alone in their window and use no feature of the device', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  for (const path of ['/auth/login', '/auth/logout', '/auth/logged-out', '/auth/session', '/auth/none', '/auth/jwt']) {
    const response = await browser.visit(path)
    if (response.statusCode === 302) continue
    t.equal(response.headers['cross-origin-opener-policy'], 'same-origin', path)
    t.match(
      response.headers['permissions-policy'],
      /^accelerometer=\(\), .*camera=\(\).*xr-spatial-tracking=\(\)$/,
      path,
    )
  }
  const redirect = await gate.browser().visit('/x')
  t.equal(redirect.statusCode, 302)
  t.equal(redirect.headers['cross-origin-opener-policy'], undefined, 'a login without a page keeps its opener')
})

t.test('hsts is on every response of the gateway, and on nothing else', async t => {
  const gate = await open(t, { settings: { hsts: { maxAge: '365d', includeSubDomains: true, preload: true } } })
  for (const path of ['/', '/auth', '/auth/login', '/auth/none', '/auth/jwks.json', '/a/../b']) {
    const { headers } = await gate.browser().visit(path)
    t.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains; preload', path)
  }
  const off = await open(t, { settings: { hsts: { maxAge: '0s' } } })
  t.equal((await off.browser().visit('/')).headers['strict-transport-security'], 'max-age=0')
})

t.test('the prefix itself leads to the own sessions, or to the login', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  for (const path of ['/auth', '/auth/']) {
    const nobody = await browser.visit(path)
    t.equal(nobody.statusCode, 302)
    t.equal(nobody.headers.location, '/auth/login?return_to=%2F')
    t.equal((await browser.fetch(path)).statusCode, 401)
  }
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  for (const path of ['/auth', '/auth/']) {
    const somebody = await browser.visit(path)
    t.equal(somebody.statusCode, 303)
    t.equal(somebody.headers.location, '/auth/session')
  }
})

t.test('form-action follows the snapshot of the request', async t => {
  let targets = ['https://one.example']
  const gate = await open(t, { providers: [createFakeProvider({ formTargets: () => targets })] })
  t.match((await gate.browser().visit('/auth/logged-out')).headers['content-security-policy'], 'https://one.example;')
  targets = ['https://two.example']
  t.match((await gate.browser().visit('/auth/logged-out')).headers['content-security-policy'], 'https://two.example;')
})

t.test('the JWKS and the SP metadata are public and cacheable', async t => {
  const gate = await open(t)
  const jwks = await gate.app.inject('/auth/jwks.json')
  t.equal(jwks.statusCode, 200)
  t.equal(jwks.headers['cache-control'], 'public, max-age=300')
  t.equal(jwks.headers['content-type'], 'application/jwk-set+json')
  t.match(jwks.json().keys, [{ kty: 'EC', crv: 'P-256', kid: String }])
  t.notOk(JSON.stringify(jwks.json()).includes('"d"'), 'no private part')
  for (const path of ['/auth/saml/metadata', '/auth/saml/corp/metadata']) {
    const response = await gate.app.inject(path)
    t.equal(response.statusCode, 200)
    t.match(response.headers['content-type'], 'application/samlmetadata+xml')
    t.equal(response.body, '<EntityDescriptor/>')
  }
})

t.test('our own forms are small and plain', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  t.equal((await browser.send('/auth/logout', { a: 'x'.repeat(20_000) })).statusCode, 413)
  t.equal((await browser.send('/auth/logout', {}, { 'content-type': 'application/json' })).statusCode, 415)
})

t.test('a request to Desk without a session is sent to the login with its address', async t => {
  const gate = await open(t)
  const response = await gate.browser().visit('/tickets/7?a=b')
  t.equal(response.statusCode, 302)
  t.equal(response.headers.location, '/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db')
  t.equal(response.headers['set-cookie'], undefined)
})
