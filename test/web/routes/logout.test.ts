import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import {
  createFakeProvider,
  identityOf,
  type LoginServer,
  samlMessage,
  startLoginServer,
} from '../../parts/login-server.js'
import { until } from '../../parts/wait-until.js'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

const enter = async (gate: LoginServer, email?: string) => {
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token(email) })
  return browser
}

t.test('logout ends the session everywhere, forgets the cookies, and goes on to the provider', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const copy = browser.cookies.get('__Host-deskgate') ?? ''
  const response = await browser.send('/auth/logout')
  t.equal(response.statusCode, 200)
  t.equal(response.headers.refresh, '0;url=https://portal.example.com/logout?email=ada%40example.com')
  t.match(response.body, 'You are being logged out of Aloha Portal')
  t.same([response.headers['set-cookie']].flat(), [
    '__Host-deskgate=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    '__Host-deskgate-kept=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    '__Secure-deskgate-seen=; Max-Age=0; Path=/auth; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=None',
  ])
  t.same([...browser.cookies.keys()], ['deskgate-way'], 'all that is remembered')
  const replayed = await gate.browser().fetch('/auth/session', { cookie: `__Host-deskgate=${copy}` })
  t.equal(replayed.statusCode, 401, 'a copy of the cookie is worth nothing')
  t.match(gate.events, [
    { event: 'login' },
    { event: 'session_ended', why: 'logout' },
    { event: 'logout', agent: 'ada@example.com' },
  ])
})

t.test('a client that names no navigation is redirected to the provider', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const headers = { cookie, origin: 'https://desk.example.com' }
  const response = await gate.app.inject({ method: 'POST', url: '/auth/logout', headers })
  t.equal(response.statusCode, 303)
  t.equal(response.headers.location, 'https://portal.example.com/logout?email=ada%40example.com')
})

t.test('a provider without a logout page ends at our own; one with the POST binding gets a form', async t => {
  const verdict = () => ({ identity: identityOf('ada@example.com') })
  const plain = await open(t, { providers: [createFakeProvider({ verdict })] })
  const browser = plain.browser()
  await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  t.equal((await browser.send('/auth/logout')).headers.location, '/auth/logged-out')

  const logout = () => ({ post: 'https://slo.example.net/out', fields: { SAMLRequest: '<x>"' } })
  const posting = await open(t, { providers: [createFakeProvider({ verdict, logout })] })
  const other = posting.browser()
  await other.post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  const response = await other.send('/auth/logout')
  t.equal(response.statusCode, 200)
  t.match(response.body, /action="https:\/\/slo\.example\.net\/out".*value="&#60;x&#62;&#34;"/s)
  t.match(response.headers['content-security-policy'], 'https://slo.example.net')
  t.same([...other.cookies.keys()], ['deskgate-way'])
})

t.test('without a session it forgets the cookies and says so', async t => {
  const gate = await open(t)
  const response = await gate.browser().send('/auth/logout', {}, { cookie: '__Host-deskgate=x' })
  t.equal(response.statusCode, 303)
  t.equal(response.headers.location, '/auth/logged-out')
  t.match([response.headers['set-cookie']].flat(), [/^__Host-deskgate=; /, /./])
})

t.test('the page asks first, and a visit alone ends nothing', async t => {
  const gate = await open(t)
  const browser = await enter(gate)
  const page = await browser.visit('/auth/logout?return_to=//evil.example')
  t.equal(page.statusCode, 200)
  t.match(page.body, /ada@example\.com.*<form method="post" action="\/auth\/logout">/s)
  t.notMatch(page.body, /(?:href|action)="[^"]*evil/)
  t.equal((await browser.fetch('/auth/session')).statusCode, 200)
  t.match((await gate.browser().visit('/auth/logout')).body, 'This browser is not logged in')
})

t.test('the page after it says so and does not log in by itself', async t => {
  const gate = await open(t)
  const response = await gate.browser().visit('/auth/logged-out')
  t.equal(response.statusCode, 200)
  t.equal(response.headers['set-cookie'], undefined)
  t.match(response.body, 'You are logged out')
  t.notMatch(response.body, /<script|http-equiv/)
})

t.test('a session that cannot be ended keeps its cookie: 503, and another try works', async t => {
  let broken = false
  const store = (real: Store): Store => ({
    ...real,
    delete: keys => (broken ? Promise.reject(new StoreUnavailable('down')) : real.delete(keys)),
  })
  const gate = await open(t, { store })
  const browser = await enter(gate)
  broken = true
  const response = await browser.send('/auth/logout')
  t.equal(response.statusCode, 503)
  t.equal(response.headers['set-cookie'], undefined)
  t.match(response.headers['retry-after'], /^\d+$/)
  broken = false
  // The queued revocation is tried again after a pause; until then it blocks the one session that it means.
  let again = await browser.send('/auth/logout')
  await until(async () => {
    if (again.statusCode === 503) again = await browser.send('/auth/logout')
    return again.statusCode !== 503
  }, 15_000)
  t.equal(again.statusCode, 303, 'this process has not believed in the session since')
  t.equal(again.headers.location, '/auth/logged-out')
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 0)
})

t.test('twenty logins and logouts in parallel leave nothing behind', async t => {
  const gate = await open(t)
  const browsers = await Promise.all(Array.from({ length: 10 }, () => enter(gate)))
  await Promise.all(browsers.flatMap(browser => [browser.send('/auth/logout'), browser.send('/auth/logout')]))
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 0)
})
