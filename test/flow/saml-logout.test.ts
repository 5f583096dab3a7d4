// Single logout with two gateways on one Redis: what the provider ends, it ends on both, whichever of them it reaches.

import t from 'tap'
import { explain } from '../../src/cli/commands/explain.js'
import { systemClock } from '../../src/runtime/clock.js'
import { rsaPair } from '../parts/configuration.js'
import { signingKey } from '../parts/demo-idp.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createLogoutIdp, receive } from '../parts/saml-logout-idp.js'
import { createUserAgent, exchange } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const email = 'ada@example.com'
const adminToken = 'the-admin-token-of-this-test-which-is-long-enough'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const logout = createLogoutIdp({ signing: signingKey(), clock: systemClock, plan: { nameId: email } })
const ours = rsaPair(Date.UTC(2035, 0, 1))
const corp = {
  ...idp.settings.corp,
  sloUrl: 'https://idp.example.com/slo',
  key: 'sp.key',
  certificate: 'sp.crt',
}
const files = { 'idp.crt': idp.certificate, 'sp.key': ours.key, 'sp.crt': ours.certificate }

t.test('single logout on two replicas', { skip: missingParts('redis-server') }, async t => {
  const [desk, redis] = await Promise.all([startDesk(), startRedis({ process: 'own' })])
  const start = () =>
    startInProcessGateway(
      {
        publicUrl,
        secrets: ['the secret that all replicas share, as long as it has to be'],
        ops: { adminToken },
        desk: { url: desk.url },
        providers: [corp],
        agents: [{ domains: ['example.com'] }],
        sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
      },
      { files },
    )
  const [one, two] = await Promise.all([start(), start()])
  t.teardown(async () => {
    await Promise.all([one.close(), two.close()])
    await redis.stop()
    await desk.close()
  })
  const enter = async (name = email, sessionIndex = '_s1') => {
    const agent = createUserAgent(publicUrl, one)
    const finish = { at: two }
    const answer = await logIn(agent, idp, { way: 'corp', email: name, finish })
    t.equal(answer.status, 303)
    return { agent, sessionIndex, cookie: agent.cookieHeader('/') }
  }
  const statuses = (cookie: string) =>
    Promise.all(
      [one, two].map(async at => (await exchange(at, '/', { headers: { host: 'desk.example.com', cookie } })).status),
    )

  for (const binding of ['redirect', 'post'] as const) {
    t.test(`${binding}: what reaches one ends at both, and is used up at both`, async t => {
      const [first, second, bob] = [await enter(), await enter(), await enter('bob@example.com')]
      t.same(await statuses(first.cookie), [200, 200])
      const stranger = createUserAgent(publicUrl, one)
      const [query, form] = [logout.query({ relayState: 'r' }), logout.form({ relayState: 'r' })]
      const bring = (at: typeof one) =>
        binding === 'redirect'
          ? stranger.visit(`/auth/saml/slo?${query}`, { at })
          : stranger.postCrossSite('/auth/saml/slo', form, { at })
      const answers = await Promise.all([bring(one), bring(two)])
      t.same(answers.map(({ status }) => status).sort(), [303, 400], 'once on all replicas')
      t.equal(answers.find(({ status }) => status === 400)?.reason, 'saml.replayed')
      const answer = receive(
        { redirect: answers.find(({ status }) => status === 303)?.location ?? '' },
        ours.certificate,
      )
      t.match(answer, { kind: 'response', signed: true, relayState: 'r', address: 'https://idp.example.com/slo' })
      t.same(await statuses(first.cookie), [401, 401])
      t.same(await statuses(second.cookie), [401, 401])
      t.same(await statuses(bob.cookie), [200, 200])
    })
  }

  t.test('a logout here asks the provider for the same name and session', async t => {
    const { agent, cookie } = await enter()
    const out = await agent.send('/auth/logout', {}, { at: one })
    const asked = receive({ redirect: String(out.headers.refresh).slice('0;url='.length) }, ours.certificate)
    t.match(asked, { kind: 'request', signed: true })
    t.equal(asked.text('NameID'), email)
    t.match(asked.attribute('NameID', 'Format'), /emailAddress$/)
    t.match(asked.text('SessionIndex'), /^_s/)
    t.same(await statuses(cookie), [401, 401])
    const back = logout.query({ kind: 'response', plan: { inResponseTo: asked.id } })
    t.match(await agent.visit(`/auth/saml/slo?${back}`, { at: two }), { status: 303, location: '/auth/logged-out' })
  })

  t.test('ten tabs are one session, and the SessionIndex of each of their logins ends it', async t => {
    const indexes = ['_tab1', '_tab2', '_tab3']
    for (const last of indexes) {
      const browser = createUserAgent(publicUrl, one)
      for (const sessionIndex of indexes) {
        const answer = await begin(browser, idp, { way: 'corp', email, change: { plan: { sessionIndex } } })
        const entered = await browser.postCrossSite(answer.path, answer.fields, { at: two })
        t.equal(entered.status, 303)
      }
      const cookie = browser.cookieHeader('/')
      t.same(await statuses(cookie), [200, 200])
      await browser.visit(`/auth/saml/slo?${logout.query({ plan: { sessionIndexes: ['_tab4'] } })}`, { at: one })
      t.same(await statuses(cookie), [200, 200], 'an index of no login here ends nothing')
      const ended = await browser.visit(`/auth/saml/slo?${logout.query({ plan: { sessionIndexes: [last] } })}`, {
        at: one,
      })
      t.equal(ended.status, 303)
      t.same(await statuses(cookie), [401, 401], last)
    }
  })

  t.test('Redis away: the provider hears that it did not work, nothing is forgotten', async t => {
    const { agent } = await enter()
    redis.pause()
    const query = logout.query()
    const answer = await agent.visit(`/auth/saml/slo?${query}`)
    redis.resume()
    const said = receive({ redirect: answer.location }, ours.certificate)
    t.equal(said.attribute('StatusCode', 'Value'), 'urn:oasis:names:tc:SAML:2.0:status:Responder')
    t.same(answer.setCookies, [])
    const again = await agent.visit(`/auth/saml/slo?${logout.query()}`)
    t.equal(again.status, 303)
    t.same(await statuses(agent.cookieHeader('/')), [401, 401])
  })

  t.test('deskgate explain says that it was a logout, and what to fix', async t => {
    const { agent } = await enter()
    const page = await agent.visit(
      `/auth/saml/slo?${logout.query({ after: query => query.replace(/&SigAlg=.*/, '') })}`,
    )
    t.equal(page.reason, 'saml.signature_missing')
    const lines: string[] = []
    const io = {
      env: { DESKGATE_ADMIN_TOKEN: adminToken },
      out: (line: string) => void lines.push(line),
      err: () => {},
    }
    // The other replica knows it as well.
    t.equal(await explain(page.reference, { ops: two.opsUrl }, io), 0)
    const told = lines.join('\n')
    t.match(told, new RegExp(`^logout +${page.reference}`))
    t.match(told, /FAIL {2}signature present/)
    t.match(told, /The logout request is not signed\. Switch on the signing of logout requests/)
    t.notMatch(told, /assertion/)
  })

  t.test('our metadata says where', async t => {
    const page = await createUserAgent(publicUrl, one).fetch('/auth/saml/metadata')
    t.match(page.body, `Location="${publicUrl}/auth/saml/slo"`)
  })
})
