// A login must never end on another site, whichever way the address came in: the login link, the form, the token, the
// RelayState, the page around a frame.

import t from 'tap'
import { createFakeProvider, identityOf, samlMessage, startLoginServer } from '../parts/login-server.js'

const evil = [
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  'https:evil.example',
  'https://evil.example/',
  'https://desk.example.com@evil.example/',
  'https://desk.example.com.evil.example/',
  'http://desk.example.com/',
  'javascript:alert(1)',
  'data:text/html,x',
  '/\t/evil.example',
  '/\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/%09/evil.example',
  '/%2f/evil.example',
  '/%2fevil.example',
  '/%5cevil.example',
  '/%252f%252fevil.example',
  '/.//evil.example',
  '/a/..//evil.example',
  '/%2e%2e//evil.example',
  '/\r\nSet-Cookie: a=b',
  '/%0d%0aSet-Cookie:%20a=b',
  '/auth/logout',
  '/auth/login?return_to=/auth/login',
  '/AUTH/logout',
  '/%61uth/logout',
  '/auth/saml/acs',
]

t.test('Attack: open redirect by any way in', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const lands = (response: { statusCode: number; headers: { location?: unknown } }, value: string, way: string) => {
    t.equal(response.statusCode, 303, `${way}: ${encodeURIComponent(value)}`)
    t.equal(response.headers.location, '/', way)
  }
  for (const value of evil) {
    const browser = gate.browser()
    const begun = await browser.visit(`/auth/login?return_to=${encodeURIComponent(value)}`)
    const asked = new URL(String(begun.headers.location))
    t.equal(
      new URL(asked.searchParams.get('return_to') ?? '').origin,
      'https://desk.example.com',
      'what the provider gets',
    )
    const state = asked.searchParams.get('state') ?? ''
    lands(await browser.post('/auth/jwt', { jwt: await gate.token(), state, return_to: value }), value, 'the link')
    lands(await gate.browser().post('/auth/jwt', { jwt: await gate.token(), return_to: value }), value, 'the form')
    const jwt = await gate.token(undefined, { return_to: value })
    lands(await gate.browser().post('/auth/jwt', { jwt }), value, 'the token')
  }
})

t.test('Attack: open redirect by RelayState, chooser, start-again button and frame', async t => {
  const gate = await startLoginServer({
    settings: { login: { chooser: 'always' } },
    providers: [createFakeProvider({ verdict: () => ({ identity: identityOf('ada@example.com') }) })],
  })
  t.teardown(gate.close)
  for (const value of evil) {
    const form = { SAMLResponse: samlMessage(), RelayState: value }
    t.equal((await gate.browser().post('/auth/saml/acs', form)).headers.location, '/')
    const chooser = await gate.browser().visit(`/auth/login?return_to=${encodeURIComponent(value)}`)
    t.match(chooser.body, 'href="/auth/login/corp">')
    if (/[^\x20-\x7e]/.test(value)) continue
    const headers = { 'sec-fetch-dest': 'iframe', referer: value }
    t.match((await gate.browser().visit('/tickets', headers)).body, 'href="/auth/login" target="_top"')
  }
  const refused = await startLoginServer()
  t.teardown(refused.close)
  for (const value of evil) {
    const response = await refused.browser().post('/auth/jwt', { jwt: 'x', return_to: value })
    t.match(response.body, /href="\/auth\/login(\/portal)?">Try again/)
  }
})

t.test('Attack: several return_to', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const begun = await gate.browser().visit('/auth/login?return_to=/a&return_to=//evil.example')
  t.match(
    new URL(String(begun.headers.location)).searchParams.get('return_to'),
    /^https:\/\/desk\.example\.com\/\?deskgate_state=/,
  )
})

t.test('Attack: the Host header in any address that we build', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
  const all = [
    await gate.browser().visit('/auth/login', headers),
    await gate.browser().visit('/auth/login?here=1', headers),
    await gate.browser().visit('/auth/login', { ...headers, host: 'desk.example.com' }),
    await gate.browser().visit('/tickets', headers),
    await gate.browser().fetch('/tickets', headers),
    await gate.browser().visit('/auth/logged-out', headers),
    await gate.browser().post('/auth/jwt', { jwt: await gate.token() }, headers),
  ]
  t.strictSame(
    all.slice(0, 3).map(({ statusCode }) => statusCode),
    [421, 302, 302],
    'a page that names publicUrl, and logins that begin',
  )
  for (const response of all) t.notMatch(JSON.stringify(response.headers) + response.body, 'evil.example')
})
