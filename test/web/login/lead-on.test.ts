// Pages that stop an agent lead on: another account, the chooser, the page that was asked for.

import t, { type Test } from 'tap'
import { jwtSettings } from '../../parts/jwt-provider.js'
import {
  createFakeProvider,
  identityOf,
  type LoginServerOptions,
  refusedWith,
  samlMessage,
  startLoginServer,
} from '../../parts/login-server.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

async function open(t: Test, options: LoginServerOptions = {}) {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  return gate
}

const linksIn = (body: string) =>
  new Map(
    [...body.matchAll(/<a class="button[^"]*"[^>]*? href="([^"]*)"[^>]*>([^<]*)/g)].map(([, href = '', label = '']) => [
      label,
      href.replaceAll('&#61;', '=').replaceAll('&#38;', '&'),
    ]),
  )

const codeIn = (body: string) => /<code>([^<]+)/.exec(body)?.[1]

/** The page that the switch of the language leads back to. */
const switchOf = (body: string) => (/name="page" value="([^"]*)"/.exec(body)?.[1] ?? '').replaceAll('&#61;', '=')

t.test('the circle of 403: no link goes straight back to a provider that remembers the agent', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const begun = await browser.visit('/auth/login/portal?return_to=/tickets/1')
  const state = new URL(String(begun.headers.location)).searchParams.get('state') ?? ''
  const jwt = await gate.token('nobody@example.com')
  const page = await browser.post('/auth/jwt/portal', { jwt, state })
  t.equal(page.statusCode, 403)
  t.match(page.body, 'You logged in as nobody@example.com.')
  const links = linksIn(page.body)
  t.strictSame([...links.keys()], ['Use another account', 'Log in another way', 'Back to Aloha Portal'])

  const chooser = await browser.visit(links.get('Log in another way') ?? '')
  t.equal(chooser.statusCode, 200, 'also where there is one way in only')
  const again = linksIn(chooser.body).get('Log in with Aloha Portal') ?? ''
  t.equal(again, '/auth/login/portal?return_to=%2Ftickets%2F1&account=ask')

  const account = await browser.visit(links.get('Use another account') ?? '')
  t.equal(account.statusCode, 302)
  const back = 'https://desk.example.com/tickets/1'
  t.equal(account.headers.location, `https://portal.example.com/logout?return_to=${encodeURIComponent(back)}`)
})

t.test('another account at a SAML provider begins with ForceAuthn, and only then', async t => {
  const settings = samlSettings([], { issuer: 'urn:idp', loginUrl: 'https://idp.example.com/sso' })
  const { begin } = openSaml(settings).provider
  const verdict = () => ({ identity: identityOf('off@example.com') })
  const gate = await open(t, { providers: [createFakeProvider({ begin, verdict })] })
  const browser = gate.browser()
  const page = await browser.post('/auth/saml/acs', { SAMLResponse: samlMessage() })
  t.equal(page.statusCode, 403)
  t.match(page.body, 'You logged in as off@example.com.')
  const forced = async (path: string) => {
    const request = new URL(String((await browser.visit(path)).headers.location)).searchParams.get('SAMLRequest') ?? ''
    const { inflateRawSync } = await import('node:zlib')
    return inflateRawSync(Buffer.from(request, 'base64')).toString().includes('ForceAuthn="true"')
  }
  t.equal(await forced(linksIn(page.body).get('Use another account') ?? ''), true)
  t.equal(await forced('/auth/login/corp'), false)
  t.equal(await forced('/auth/login/corp?account=mine'), false)
})

t.test('a JWT provider without a logout is asked to ask', async t => {
  const { createJwtProvider } = await import('../../../src/providers/jwt/provider.js')
  const gate = await open(t)
  const provider = createJwtProvider(jwtSettings({}), {
    clock: gate.clock,
    metrics: gate.metrics,
    publicUrl: 'https://desk.example.com',
    fetchText: () => Promise.reject(new Error('no call was expected')),
  } as unknown as Parameters<typeof createJwtProvider>[1])
  t.teardown(provider.close)
  const attempt = { id: 'x', provider: 'portal', returnTo: '/a', startedAt: 0, used: false }
  const askedOf = async (more: object) => {
    const navigation = await provider.begin({ ...attempt, ...more })
    return 'redirect' in navigation ? new URL(navigation.redirect).searchParams.get('prompt') : undefined
  }
  t.equal(await askedOf({ otherAccount: 'logout' }), 'login')
  t.equal(await askedOf({ otherAccount: 'ask' }), 'login')
  t.equal(await askedOf({}), null)
})

t.test('an agent who is logged in can choose another account too', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  t.equal((await browser.visit('/auth/login')).statusCode, 302, 'straight on as before')
  const page = await browser.visit('/auth/login?account=other')
  t.equal(page.statusCode, 200)
  t.match(page.body, 'You are logged in as ada@example.com.')
  const links = [...linksIn(page.body)].map(([label]) => label)
  t.strictSame(links, ['Continue as ada@example.com', 'Log in with Aloha Portal'], 'who is logged in comes first')
})

t.test(
  'the page of a refusal can be had in another language, for ten minutes, by the address that its switch has',
  async t => {
    const gate = await open(t)
    const browser = gate.browser()
    const jwt = await gate.token('nobody@example.com')
    const refused = await browser.post('/auth/jwt/portal', { jwt, return_to: '/tickets/1' })
    const english = linksIn(refused.body)
    const page = switchOf(refused.body)
    t.notMatch(Buffer.from(page).toString() + Buffer.from(page.split('=')[1] ?? '', 'base64url'), /nobody|tickets/)
    const chosen = await browser.send('/auth/language', { lang: 'de', page })
    t.equal(chosen.headers.location, page)
    const german = await browser.visit(page)
    t.equal(german.statusCode, 403)
    t.match(german.body, 'Sie haben sich als nobody@example.com angemeldet.')
    t.equal(codeIn(german.body), codeIn(refused.body), 'the same reference')
    t.strictSame([...linksIn(german.body).values()].slice(0, 2), [...english.values()].slice(0, 2))
    const again = await browser.send('/auth/language', { lang: 'en', page: switchOf(german.body) })
    t.match((await browser.visit(String(again.headers.location))).body, 'You logged in as nobody@example.com.')

    for (const bad of [
      '',
      '?page',
      '?page=x',
      `?page=${'A'.repeat(9000)}`,
      `${page.slice('/auth/refused'.length, -1)}_`,
    ]) {
      t.match(
        await browser.visit(`/auth/refused${bad}`),
        { statusCode: 303, headers: { location: '/auth/login' } },
        bad,
      )
    }
    const long = { jwt: await gate.token('off@example.com'), return_to: `/tickets/${'1'.repeat(1900)}` }
    t.equal(switchOf((await browser.post('/auth/jwt/portal', long)).body), '', 'no address that proxies would refuse')
    gate.clock.move(10 * 60_000)
    t.match(await browser.visit(page), { statusCode: 303, headers: { location: '/auth/login' } }, 'too old')
  },
)

t.test('an error page leads to the own sessions, unless nobody can be logged in', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  t.notMatch((await browser.visit('/auth/nothing')).body, '/auth/session')
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  t.match((await browser.visit('/auth/nothing')).body, /href="\/auth\/session">See where you are logged in</)
  t.match((await browser.visit('/auth/logged-out')).body, />Log in and see where else you are logged in</)
})

t.test('the lost deep link: what passes by itself leads to the page that was asked for', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  const page = await browser.visit('/tickets/1?a=b&c="d"', { 'x-request-id': 'forged' })
  t.equal(page.statusCode, 502)
  t.strictSame([...linksIn(page.body)], [['Try again', '/tickets/1?a=b&c=%22d%22']], 'the start page would fail too')
  t.match(page.headers, { refresh: '30', 'retry-after': '30' })
  const id = String(page.headers['x-request-id'])
  t.not(id, 'forged')
  t.match(page.body, `Request ID <small>${id}</small>`)

  const posted = await browser.send('/tickets/1', { text: 'x' })
  t.equal(posted.statusCode, 502)
  t.equal(posted.headers.refresh, undefined, 'nothing is sent twice')
  t.match(posted.body, 'What you sent may have arrived.')
  t.strictSame([...linksIn(posted.body)], [['Go to the help desk', '/']])
  const program = await browser.fetch('/tickets/1')
  t.equal(program.statusCode, 502)
  t.equal(program.headers.refresh, undefined)
  t.strictSame([...linksIn((await browser.visit('/')).body)], [['Try again', '/']])
})

t.test('a form that was not sent leads back, after the login, to the page that it was on', async t => {
  const browser = (await open(t)).browser()
  const leadsTo = async (referer: string) => {
    const page = await browser.send('/tickets/1', { text: 'x' }, { referer })
    t.equal(page.statusCode, 401)
    return linksIn(page.body).get('Open a new tab to log in')
  }
  t.equal(
    await leadsTo('https://desk.example.com/tickets/1/edit?a=1'),
    '/auth/login?return_to=%2Ftickets%2F1%2Fedit%3Fa%3D1',
  )
  t.equal(await leadsTo('https://evil.example.com/tickets/1'), '/auth/login')
  t.equal(await leadsTo('https://desk.example.com/auth/session'), '/auth/login')
  t.equal(await leadsTo('nonsense'), '/auth/login')
})

t.test('the wrong host: a form of our own page there names the right one, and changes nothing', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  const there = { host: 'desk', origin: 'https://desk' }
  const page = await browser.send('/auth/logout', {}, there)
  t.equal(page.statusCode, 421)
  t.match(page.body, 'You can only log in at https://desk.example.com.')
  t.equal(linksIn(page.body).get('Go to https://desk.example.com'), 'https://desk.example.com/auth/login')
  t.equal((await gate.sessions.list({ email: 'ada@example.com' })).items.length, 1)
  const forged = await browser.send('/auth/logout', {}, { origin: 'https://evil.example.com' })
  t.equal(forged.statusCode, 403, 'another site at our host')
  t.match(forged.body, 'This was not sent from here')
})

t.test('a one-time link says nobody’s address', async t => {
  const gate = await open(t)
  const order = { agent: 'off@example.com', minutes: 5, reason: 'x', operator: 'ops' }
  const { token } = await gate.breakglass.issue(order)
  const path = `/auth/breakglass/${token}`
  const page = await gate.browser().send(path)
  t.equal(page.statusCode, 403)
  t.notMatch(page.body, 'off@example.com')
  t.strictSame([...linksIn(page.body)], [['Log in another way', '/auth/login?account=other']])
})

t.test('Attack: a refusal is not kept for ever by switching its language', async t => {
  const gate = await startLoginServer()
  t.teardown(gate.close)
  const switchOf = (body: string) => /name="page" value="([^"]*)"/.exec(body)?.[1]?.replaceAll('&#61;', '=') ?? ''
  const form = { jwt: await gate.token('nobody@example.com'), return_to: '/x' }
  const first = switchOf((await gate.browser().post('/auth/jwt/portal', form)).body)
  t.match(first, /^\/auth\/refused\?page=/)
  gate.clock.move(9 * 60_000)
  const again = await gate.browser().visit(first)
  t.match(again.body, /nobody@example\.com/)
  gate.clock.move(9 * 60_000)
  t.notMatch((await gate.browser().visit(switchOf(again.body))).body, /nobody@example\.com/)
})

t.test('the first button of a refusal is the one that its text names', async t => {
  const expected = {
    'saml.expired': ['Try again'],
    'saml.unsolicited': ['Log in'],
    'saml.email_missing': ['Use another account', 'Log in another way'],
    'agent.forbidden': ['Log in another way', 'Use another account'],
    'saml.issuer_unknown': ['Try again'],
    'login.link_expired': ['Log in'],
  } as const
  for (const [reason, labels] of Object.entries(expected) as [keyof typeof expected, readonly string[]][]) {
    const gate = await open(t, { providers: [createFakeProvider({ verdict: () => refusedWith(reason) })] })
    const page = await gate.browser().post('/auth/saml/acs', { SAMLResponse: samlMessage() })
    t.strictSame([...linksIn(page.body).keys()].slice(0, labels.length), labels, reason)
    const isQuiet = /<div class="actions"><a class="button quiet"/.test(page.body)
    t.equal(isQuiet, reason === 'saml.issuer_unknown', 'only the administrator can help')
  }
})
