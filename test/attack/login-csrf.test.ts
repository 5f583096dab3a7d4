// Somebody else's login in a victim's browser: it must never replace, or be mistaken for, the victim's own.

import t, { type Test } from 'tap'
import {
  createFakeProvider,
  identityOf,
  type LoginServer,
  samlMessage,
  startLoginServer,
  type TestBrowser,
} from '../parts/login-server.js'

const open = async (t: Test, options: Parameters<typeof startLoginServer>[0] = {}): Promise<LoginServer> => {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

const begin = async (browser: TestBrowser): Promise<string> => {
  const response = await browser.visit('/auth/login/portal')
  return new URL(String(response.headers.location)).searchParams.get('state') ?? ''
}

const logIn = async (gate: LoginServer, browser: TestBrowser, email: string) => {
  const response = await browser.post('/auth/jwt', { jwt: await gate.token(email), state: await begin(browser) })
  t.equal(response.statusCode, 303)
}

t.test('Attack: an unsolicited login of the attacker while the victim is logged in', async t => {
  const gate = await open(t)
  const victim = gate.browser()
  await logIn(gate, victim, 'ada@example.com')
  const cookie = victim.cookies.get('__Host-deskgate')
  const jwt = await gate.token('bob@example.com')
  const response = await victim.post('/auth/jwt', { jwt })
  t.equal(response.statusCode, 409)
  t.match(response.body, 'login.other_session')
  t.match(response.body, 'Logged in here: ada@example.com')
  t.match(response.body, /<a class="button" href="\/">Continue as ada@example.com</)
  t.match(response.body, /<form method="post" action="\/auth\/logout"><button class="button quiet">Log out<\/button>/)
  t.equal(response.headers['set-cookie'], undefined)
  t.equal(victim.cookies.get('__Host-deskgate'), cookie)
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
  t.equal((await gate.sessions.list({ email: 'bob@example.com' })).items.length, 0)
  await victim.send('/auth/logout')
  t.equal((await victim.post('/auth/jwt', { jwt })).statusCode, 303, 'after a logout the same answer is still good')
})

t.test('Attack: the same by SAML, started at the identity provider', async t => {
  let email = 'ada@example.com'
  const gate = await open(t, { providers: [createFakeProvider({ verdict: () => ({ identity: identityOf(email) }) })] })
  const victim = gate.browser()
  await victim.post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  email = 'bob@example.com'
  t.equal((await victim.post('/auth/saml/acs', { SAMLResponse: samlMessage() })).statusCode, 409)
  email = 'ada@example.com'
  t.equal((await victim.post('/auth/saml/acs', { SAMLResponse: samlMessage() })).statusCode, 303, 'the same agent may')
})

t.test('Attack: the attacker’s state, which only the attacker’s browser can open', async t => {
  const gate = await open(t)
  const attacker = gate.browser()
  const state = await begin(attacker)
  const jwt = await gate.token('bob@example.com')
  for (const browser of [gate.browser(), gate.browser()]) {
    const response = await browser.post('/auth/jwt', { jwt, state })
    t.equal(response.statusCode, 400)
    t.match(response.body, 'jwt.state_mismatch')
    t.equal(response.headers['set-cookie'], undefined)
  }
  for (const bad of ['x', '../x', `${state}x`, ' ', state.toLowerCase(), '__proto__']) {
    t.match((await gate.browser().post('/auth/jwt', { jwt, state: bad })).body, 'jwt.state_mismatch', bad)
  }
  t.equal((await attacker.post('/auth/jwt', { jwt, state })).statusCode, 303, 'and none of that used it up')
})

t.test('Attack: two states that disagree', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const state = await begin(browser)
  const jwt = await gate.token()
  const fields = { jwt, state, return_to: 'https://desk.example.com/?deskgate_state=AAAAAAAAAAAAAAAAAAAAAA' }
  t.match((await browser.post('/auth/jwt', fields)).body, 'jwt.state_mismatch')
})

t.test('Attack: a planted mark of the attacker’s own session hides who is logged in', async t => {
  const gate = await open(t)
  const [victim, attacker] = [gate.browser(), gate.browser()]
  await logIn(gate, victim, 'ada@example.com')
  await logIn(gate, attacker, 'bob@example.com')
  const mark = (browser: TestBrowser) => `__Secure-deskgate-seen=${browser.cookies.get('__Secure-deskgate-seen')}`
  for (const cookie of [`${mark(attacker)}; ${mark(victim)}`, `${mark(victim)}; ${mark(attacker)}`]) {
    const response = await victim.post('/auth/jwt', { jwt: await gate.token('bob@example.com') }, { cookie })
    t.equal(response.statusCode, 409)
    t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
  }
})

t.test('Attack: a mark that is not a mark changes nothing and opens nothing', async t => {
  const gate = await open(t)
  const victim = gate.browser()
  await logIn(gate, victim, 'ada@example.com')
  const seen = victim.cookies.get('__Secure-deskgate-seen') ?? ''
  const asSession = await gate.browser().fetch('/auth/session', { cookie: `__Host-deskgate=${seen}` })
  t.equal(asSession.statusCode, 401)
  const alone = await gate.browser().fetch('/auth/session', { cookie: `__Secure-deskgate-seen=${seen}` })
  t.equal(alone.statusCode, 401, 'the mark alone is nobody')
  for (const value of ['', 'x', `${seen}x`, gate.keyring.seal('attempt', Buffer.alloc(32), '__Secure-deskgate-seen')]) {
    const cookie = `__Secure-deskgate-seen=${value}`
    const response = await gate.browser().post('/auth/jwt', { jwt: await gate.token() }, { cookie })
    t.equal(response.statusCode, 303)
  }
})

t.test('Attack: a background script or a hidden frame posts an answer', async t => {
  const gate = await open(t)
  for (const headers of [
    { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
  ]) {
    const response = await gate.browser().post('/auth/jwt', { jwt: await gate.token() }, headers)
    t.equal(response.statusCode, 400)
    t.equal(response.headers['set-cookie'], undefined)
  }
})

t.test('Attack: logout and ending of sessions from another site', async t => {
  const gate = await open(t)
  const victim = gate.browser()
  await logIn(gate, victim, 'ada@example.com')
  const tries: Record<string, string | undefined>[] = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example', 'sec-fetch-site': undefined },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://desk.example.com', 'sec-fetch-site': 'same-site' },
    { origin: 'https://desk.example.com', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://desk.example.com', 'sec-fetch-site': 'none' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: 'null', 'sec-fetch-site': undefined },
    { origin: undefined, 'sec-fetch-site': undefined },
    { origin: 'https://desk.example.com, https://evil.example', 'sec-fetch-site': undefined },
    { origin: 'http://desk.example.com', 'sec-fetch-site': undefined },
    { origin: 'https://desk.example.com.evil.example', 'sec-fetch-site': undefined },
    { origin: 'https://DESK.example.com', 'sec-fetch-site': undefined },
  ]
  for (const headers of tries) {
    for (const path of ['/auth/logout', '/auth/session/end']) {
      const sent = { ...headers } as Record<string, string>
      for (const name of Object.keys(sent)) if (sent[name] === undefined) delete sent[name]
      const cookie = [...victim.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await gate.app.inject({
        method: 'POST',
        url: path,
        headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', ...sent },
        payload: 'others=1',
      })
      t.equal(response.statusCode, 403, JSON.stringify(sent))
      t.equal(response.headers['set-cookie'], undefined)
    }
  }
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
  t.equal(
    (await victim.send('/auth/logout', {}, { origin: 'null' })).statusCode,
    200,
    'null from the same origin passes',
  )
})
