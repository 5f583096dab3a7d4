// Single logout as browsers bring it: the provider's requests and our answers, our requests and its answers.

import { createHash, X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { encryptedByHand, withEncryptedId } from '../../parts/encryption.js'
import { formOn, receive } from '../../parts/saml-logout-idp.js'
import { openSaml } from '../../parts/saml-provider.js'
import { idpSlo, ours, signing, sloSettings, startSloServer } from '../../parts/slo-server.js'

const open = async (t: Test, options: Parameters<typeof startSloServer>[0] = {}) => {
  const slo = await startSloServer(options)
  t.teardown(slo.server.close)
  return slo
}

for (const binding of ['redirect', 'post'] as const) {
  t.test(`${binding}: a request ends every session of the name, and the answer goes back signed`, async t => {
    const { server: gate, idp, enter, alive, bring, post } = await open(t)
    const [one, two, bob] = [
      await enter('Jane@Example.com', '_s1'),
      await enter('Jane@Example.com'),
      await enter('Bob'),
    ]
    const change = { plan: { id: `_req-${binding}` }, relayState: 'a b&c=d/é' }
    const response = await (binding === 'redirect' ? bring(idp.query(change)) : post(idp.form(change)))
    t.equal(response.statusCode, 303)
    const answer = receive({ redirect: String(response.headers.location) }, ours.certificate)
    t.match(answer, { kind: 'response', address: idpSlo, signed: true, relayState: 'a b&c=d/é' })
    t.equal(answer.attribute('StatusCode', 'Value'), 'urn:oasis:names:tc:SAML:2.0:status:Success')
    t.equal(answer.attribute('LogoutResponse', 'InResponseTo'), `_req-${binding}`)
    t.equal(answer.attribute('LogoutResponse', 'Destination'), idpSlo)
    t.equal(answer.text('Issuer'), 'desk.example.com')
    t.same([await alive(one.session), await alive(two.session), await alive(bob.session)], [false, false, true])
    t.match(gate.events, [
      { event: 'session_ended', why: 'logout at the identity provider', agent: 'jane@example.com' },
      { event: 'session_ended' },
      { event: 'logout', provider: 'corp', why: 'requested by the identity provider' },
    ])
  })
}

for (const binding of ['redirect', 'post'] as const) {
  t.test(`${binding}: a request whose NameID is encrypted to our certificate`, async t => {
    const { idp, enter, alive, bring, post } = await open(t)
    const [jane, bob] = [await enter('Jane@Example.com', '_s1'), await enter('Bob')]
    const before = (xml: string) => withEncryptedId(xml, id => encryptedByHand(id, ours.certificate))
    const response = await (binding === 'redirect' ? bring(idp.query({ before })) : post(idp.form({ before })))
    t.equal(response.statusCode, 303)
    t.same([await alive(jane.session), await alive(bob.session)], [false, true])
  })
}

t.test('without a key an encrypted NameID is refused for what it is', async t => {
  const { idp, enter, alive, bring } = await open(t, { settings: { key: undefined, certificate: undefined } as never })
  const { session } = await enter('Jane@Example.com')
  const before = (xml: string) => withEncryptedId(xml, id => encryptedByHand(id, ours.certificate))
  t.match((await bring(idp.query({ before }))).body, 'saml.decryption_failed')
  t.equal(await alive(session), true)
})

t.test('with a SessionIndex only the sessions that have it end', async t => {
  const { idp, enter, alive, bring } = await open(t)
  const all = await Promise.all(['_a', '_b', '_c'].map(index => enter('Jane@Example.com', index)))
  t.equal((await bring(idp.query({ plan: { sessionIndexes: ['_a', '_c', '_none'] } }))).statusCode, 303)
  t.same(await Promise.all(all.map(({ session }) => alive(session))), [false, true, false])
})

t.test('the same name at another provider is somebody else', async t => {
  const { idp, enter, alive, bring } = await open(t)
  const { session } = await enter('Jane@Example.com', '_s', 'other')
  t.equal((await bring(idp.query())).statusCode, 303)
  t.equal(await alive(session), true)
})

t.test('a name that nobody has here is a success: there is nothing left of it', async t => {
  const { idp, bring } = await open(t)
  const response = await bring(idp.query({ plan: { nameId: 'nobody' } }))
  const answer = receive({ redirect: String(response.headers.location) }, ours.certificate)
  t.match(answer.attribute('StatusCode', 'Value'), /:Success$/)
  t.equal(answer.relayState, undefined)
})

t.test('the browser that brings the request forgets its cookies', async t => {
  const { idp, enter } = await open(t)
  const { browser } = await enter('Jane@Example.com')
  const response = await browser.visit(`/auth/saml/slo?${idp.query()}`)
  t.match(
    [response.headers['set-cookie']].flat(),
    ['__Host-deskgate', '__Host-deskgate-kept', '__Secure-deskgate-seen'].map(name => `${name}=; Max-Age=0; `),
  )
  t.equal(browser.cookies.size, 0)
})

t.test('a cross-site form brings no session cookie, and the session ends all the same', async t => {
  const { idp, enter, alive } = await open(t)
  const { browser, session } = await enter('Jane@Example.com')
  const response = await browser.post('/auth/saml/slo', idp.form())
  t.equal(response.statusCode, 303)
  t.equal(await alive(session), false)
  t.equal(browser.cookies.size, 0)
})

t.test("Attack: a logout of somebody else's name leaves this browser its session and its cookie", async t => {
  const { idp, enter, alive } = await open(t)
  const { browser, session } = await enter('Jane@Example.com')
  for (const bring of [
    () => browser.visit(`/auth/saml/slo?${idp.query({ plan: { nameId: 'mallory' } })}`),
    () => browser.post('/auth/saml/slo', idp.form({ plan: { nameId: 'mallory' } })),
  ]) {
    const response = await bring()
    t.equal(response.statusCode, 303)
    t.equal(response.headers['set-cookie'], undefined)
  }
  t.equal(await alive(session), true)
  t.equal((await browser.fetch('/auth/session')).statusCode, 200)
})

t.test('our logout ends here first, then asks the provider, whose answer ends on our page', async t => {
  const { server: gate, idp, enter, alive } = await open(t)
  const { browser, session } = await enter('Jane@Example.com', '_s1')
  const out = await browser.send('/auth/logout')
  t.equal(out.statusCode, 200)
  t.equal(await alive(session), false, 'an IdP that never answers leaves the agent logged out')
  t.equal(browser.cookies.size, 0)
  const asked = receive({ redirect: String(out.headers.refresh).slice('0;url='.length) }, ours.certificate)
  t.match(asked, { kind: 'request', address: idpSlo, signed: true, relayState: undefined })
  t.equal(asked.text('NameID'), 'Jane@Example.com')
  t.equal(asked.text('SessionIndex'), '_s1')
  for (const status of ['Success', 'Responder', 'PartialLogout']) {
    const plan = { inResponseTo: asked.id, status: `urn:oasis:names:tc:SAML:2.0:status:${status}` }
    const byQuery = await browser.visit(`/auth/saml/slo?${idp.query({ kind: 'response', plan })}`)
    const byForm = await browser.post('/auth/saml/slo', idp.form({ kind: 'response', plan }))
    for (const back of [byQuery, byForm]) {
      t.equal(back.statusCode, 303)
      t.equal(back.headers.location, '/auth/logged-out')
      t.equal(back.headers['set-cookie'], undefined)
    }
  }
  const said = gate.lines.filter(({ msg }) => msg === 'logout response received from identity provider')
  t.same(
    said.map(({ reason }) => reason),
    [undefined, undefined, ...Array(4).fill('saml.status_not_success')],
  )
})

t.test('an answer that is unsigned, wrong or garbage ends on the same page and changes nothing', async t => {
  const { server: gate, idp, enter, alive, bring, post } = await open(t)
  const { session, browser } = await enter('Jane@Example.com')
  const kind = 'response' as const
  const answers = [
    () => bring(idp.query({ kind, after: query => query.replace(/&SigAlg.*/, '') })),
    () => bring(idp.query({ kind, plan: { issuer: 'https://nobody.example.com' } })),
    () => bring('SAMLResponse=x'),
    () => bring(`SAMLResponse=x&${idp.query({ kind })}`),
    () => post(idp.form({ kind, sign: 'no' })),
    () => post({ SAMLResponse: '%' }),
    () => browser.visit('/auth/saml/slo?SAMLResponse='),
  ]
  for (const answer of answers) {
    const response = await answer()
    t.equal(response.statusCode, 303)
    t.equal(response.headers.location, '/auth/logged-out')
    t.equal(response.headers['set-cookie'], undefined)
  }
  t.equal(await alive(session), true)
  t.same(gate.events, [], 'and anybody could have sent it')
  const said = gate.lines.filter(({ msg }) => msg === 'logout response received from identity provider')
  t.same(
    said.map(({ reason }) => reason),
    [
      'saml.signature_missing',
      'saml.issuer_unknown',
      'saml.malformed',
      'saml.malformed',
      'saml.signature_missing',
      'saml.malformed',
      'saml.malformed',
    ],
  )
})

t.test('without a key our answer is not signed', async t => {
  const { idp, bring } = await open(t, { settings: { key: undefined, certificate: undefined } as never })
  const response = await bring(idp.query())
  t.equal(receive({ redirect: String(response.headers.location) }, ours.certificate).signed, false)
})

t.test('a provider without a single logout address is told nothing: our own page ends it', async t => {
  const { idp, enter, alive, bring } = await open(t, { settings: { sloUrl: undefined } as never })
  const { session } = await enter('Jane@Example.com')
  const response = await bring(idp.query())
  t.equal(response.headers.location, '/auth/logged-out')
  t.equal(await alive(session), false)
})

for (const down of ['claim', 'indexPage', 'delete'] as const) {
  t.test(`a store that cannot ${down} is never a success, and a new request works when it is back`, async t => {
    let broken = false
    const fails = () => Promise.reject(new StoreUnavailable('down'))
    const store = (real: Store): Store => ({
      ...real,
      [down]: (...args: never[]) => (broken ? fails() : (real[down] as (...args: never[]) => unknown)(...args)),
    })
    const { server: gate, idp, enter, alive, bring } = await open(t, { store })
    const { session, browser } = await enter('Jane@Example.com')
    broken = true
    const response = await browser.visit(`/auth/saml/slo?${idp.query()}`)
    t.equal(response.headers['set-cookie'], undefined, 'the cookie stays for another try')
    const answer = receive({ redirect: String(response.headers.location) }, ours.certificate)
    t.equal(answer.attribute('StatusCode', 'Value'), 'urn:oasis:names:tc:SAML:2.0:status:Responder')
    t.match(gate.events.at(-1), { event: 'logout_refused', reason: 'session.store_unavailable', provider: 'corp' })
    broken = false
    // What is known by name is written off as soon as the store is back; what was not even claimed lives.
    if (down === 'claim') t.equal(await alive(session), true)
    t.equal((await bring(idp.query())).statusCode, 303)
    t.equal(await alive(session), false)
  })
}

t.test('a store that is down, and a provider that takes no answer: 503', async t => {
  const store = (real: Store): Store => ({ ...real, claim: () => Promise.reject(new StoreUnavailable('down')) })
  const { idp, bring } = await open(t, { store, settings: { sloUrl: undefined } as never })
  const response = await bring(idp.query())
  t.equal(response.statusCode, 503)
  t.match(response.headers['retry-after'], /^\d+$/)
  t.match(response.body, 'session.store_unavailable')
})

t.test('looking ahead, HEAD and other methods use nothing up', async t => {
  const { server: gate, idp, enter, alive, bring } = await open(t)
  const { session } = await enter('Jane@Example.com')
  const query = idp.query()
  t.equal((await bring(query, { 'sec-purpose': 'prefetch' })).statusCode, 503)
  for (const method of ['HEAD', 'PUT', 'DELETE'] as const) {
    const response = await gate.app.inject({ method, url: `/auth/saml/slo?${query}` })
    t.not(response.statusCode, 303, method)
  }
  t.equal(await alive(session), true)
  t.equal((await bring(query)).statusCode, 303)
  t.equal(await alive(session), false)
})

t.test('a frame of the provider can log out: what it gets back may show there', async t => {
  const { idp, enter, alive, server: gate } = await open(t)
  const { session } = await enter('Jane@Example.com')
  const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' }
  const response = await gate.app.inject({ method: 'GET', url: `/auth/saml/slo?${idp.query()}`, headers })
  t.equal(response.statusCode, 303)
  t.equal(await alive(session), false)
})

t.test('a provider that only takes posted messages gets forms, both ways', async t => {
  const { server: gate, idp, enter, post, alive } = await open(t)
  const facts = {
    entityId: 'https://idp.example.com/metadata',
    loginUrl: 'https://idp.example.com/sso',
    certificates: [new X509Certificate(signing.certificate)],
    logoutServices: [{ binding: 'post' as const, location: idpSlo, responseLocation: `${idpSlo}/done` }],
  }
  const metadata = {
    current: () => facts,
    problem: () => undefined,
    ready: Promise.resolve(),
    refresh: async () => {},
    close: () => {},
  }
  const settings = sloSettings({ metadata: { url: 'https://idp.example.com/metadata' } })
  ;(gate.snapshot.providers as unknown[])[0] = openSaml({ ...settings, sloUrl: undefined } as never, {
    metadata,
  }).provider
  const { browser } = await enter('Jane@Example.com', '_s9')
  const out = await browser.send('/auth/logout')
  const asked = receive(formOn(out.body), ours.certificate)
  t.match(asked, { kind: 'request', address: idpSlo, signed: true })
  t.equal(asked.text('SessionIndex'), '_s9')
  const { session } = await enter('Jane@Example.com')
  const response = await post(idp.form({ relayState: '"><script>' }))
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-security-policy'], /frame-ancestors https:\/\/idp\.example\.com(?:;|$)/)
  const answer = receive(formOn(response.body), ours.certificate)
  t.match(answer, { kind: 'response', address: `${idpSlo}/done`, signed: true, relayState: '"><script>' })
  t.equal(answer.attribute('LogoutResponse', 'Destination'), `${idpSlo}/done`)
  t.notMatch(response.body, '"><script>')
  t.equal(await alive(session), false)
})

t.test('Attack: an index in the store that names the session of somebody else ends nothing', async t => {
  const { server: gate, idp, enter, alive, bring } = await open(t)
  const [jane, bob] = [await enter('Jane@Example.com', '_s1'), await enter('Bob', '_s2')]
  const named = JSON.stringify(['corp', 'Jane@Example.com', '_x'])
  const key = `n:also:${createHash('sha256').update(named).digest('base64url')}`
  for (const { session } of [jane, bob]) await gate.store.indexAdd(key, session.handle, 60_000)
  t.equal((await bring(idp.query({ plan: { sessionIndexes: ['_x'] } }))).statusCode, 303)
  t.same([await alive(jane.session), await alive(bob.session)], [false, true])
})

t.test('at the ACS a logout message is one: by POST and by redirect, a request and a response', async t => {
  const { server: gate, idp, enter, alive } = await open(t)
  const destination = 'https://desk.example.com/auth/saml/acs'
  const acs = (query: string) => gate.browser().visit(`/auth/saml/acs?${query}`)
  const one = await enter('Jane@Example.com', '_s1')
  const posted = await gate.browser().post('/auth/saml/acs', idp.form({ plan: { destination } }))
  t.equal(posted.statusCode, 303, posted.body)
  t.match(receive({ redirect: String(posted.headers.location) }, ours.certificate), {
    kind: 'response',
    address: idpSlo,
  })
  t.equal(await alive(one.session), false)
  const two = await enter('Jane@Example.com', '_s2')
  t.equal((await acs(idp.query({ plan: { destination } }))).statusCode, 303)
  t.equal(await alive(two.session), false)
  for (const kind of ['response'] as const) {
    t.equal((await acs(idp.query({ kind, plan: { destination } }))).headers.location, '/auth/logged-out')
    const answered = await gate.browser().post('/auth/saml/acs', idp.form({ kind, plan: { destination } }))
    t.equal(answered.headers.location, '/auth/logged-out')
  }
  const frame = { 'sec-fetch-dest': 'iframe' }
  const three = await enter('Jane@Example.com', '_s3')
  await gate.browser().post('/auth/saml/acs', idp.form({ plan: { destination } }), frame)
  t.equal(await alive(three.session), false, 'in a frame of the provider’s page')
  t.equal(gate.events.filter(({ event }) => event === 'logout').length, 3)
  t.equal(gate.events.filter(({ event }) => event === 'login_refused').length, 0)
})

t.test('at the ACS a bad logout message is a refused logout and no refused login', async t => {
  const { server: gate, idp, enter, alive } = await open(t)
  const { session } = await enter('Jane@Example.com', '_s1')
  const acs = 'https://desk.example.com/auth/saml/acs'
  const forms = [
    idp.form(),
    idp.form({ plan: { destination: 'https://other.example.com/acs' } }),
    idp.form({ plan: { destination: acs, issuer: 'https://evil.example.com' } }),
    { SAMLRequest: 'not base64!' },
    { SAMLRequest: Buffer.from('<x/>').toString('base64') },
    { ...idp.form({ plan: { destination: acs } }), SAMLResponse: 'x' },
  ]
  for (const [index, form] of forms.entries()) {
    t.equal((await gate.browser().post('/auth/saml/acs', form)).statusCode, 400, String(index))
  }
  t.equal(await alive(session), true)
  t.equal(gate.events.filter(({ event }) => event === 'logout_refused').length, forms.length)
  t.equal(gate.events.filter(({ event }) => event === 'login_refused').length, 0)
  // A message for the ACS is none for the other address, and a login by redirect is none at all.
  t.equal((await gate.browser().post('/auth/saml/slo', idp.form({ plan: { destination: acs } }))).statusCode, 400)
  for (const query of ['', '?SAMLResponse=x', '?x=1', '?SAMLRequest=']) {
    t.equal((await gate.browser().visit(`/auth/saml/acs${query}`)).statusCode, 405, query)
  }
})

t.test('a logout that ended no session is not in the audit log as one', async t => {
  const { server: gate, idp, enter, alive, bring, post } = await open(t)
  const { session } = await enter('Jane@Example.com', '_s1')
  for (const plan of [
    { nameId: 'nobody@example.com' },
    { nameId: 'jane@example.com' },
    { sessionIndexes: ['_other'] },
    { nameId: 'nobody', sessionIndexes: ['_s1', '_s2'] },
  ]) {
    t.equal((await bring(idp.query({ plan }))).statusCode, 303)
    t.equal((await post(idp.form({ plan }))).statusCode, 303)
  }
  t.equal(await alive(session), true)
  t.strictSame(gate.events, [])
  t.equal(gate.lines.filter(({ msg }) => msg === 'logout request ended no session').length, 8)
})
