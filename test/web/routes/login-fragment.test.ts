// login.keepFragment: a browser that opens the login page gets a small page, whose script posts what stands after '#'. It is
// in no address, no log and nothing that a provider gets, and every other client gets the redirect as before.

import t, { type Test } from 'tap'
import { formIn, refreshIn, unescaped } from '../../parts/forms.js'
import { agentString, createFakeProvider, type LoginServerOptions, startLoginServer } from '../../parts/login-server.js'

const host = 'desk.example.com'
const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' }
const hash = '#ticket/zoom/17'

async function open(t: Test, options?: LoginServerOptions) {
  const gate = await startLoginServer(options)
  t.teardown(gate.close)
  /** One request as it is, without what a browser would do next. */
  const ask = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    gate.app.inject({
      method,
      url,
      headers: { host, accept: 'text/html', 'user-agent': agentString, ...navigation, ...headers },
    })
  return { ...gate, ask }
}

/** The page that an attempt leads to, by the state that its redirect names. */
async function land(
  gate: Awaited<ReturnType<typeof open>>,
  browser: ReturnType<typeof gate.browser>,
  location: string,
) {
  const state = new URL(location).searchParams.get('state') ?? ''
  const landed = await browser.post('/auth/jwt', { jwt: await gate.token(), state })
  return String(landed.headers.location)
}

t.test('a browser gets a small page that posts the fragment, and is at its ticket after the login', async t => {
  const gate = await open(t)
  const page = await gate.ask('/auth/login?return_to=%2Fagent%3Fa%3Db')
  t.equal(page.statusCode, 200)
  t.equal(page.headers['set-cookie'], undefined)
  t.equal(page.headers['cache-control'], 'no-store')
  t.ok(page.body.length < 1000, `${page.body.length} bytes`)
  const { action, fields } = formIn(page.body)
  t.same({ action, fields }, { action: '/auth/login/portal?return_to=%2Fagent%3Fa%3Db', fields: { fragment: '' } })
  t.equal(refreshIn(page.body), action, 'without scripts the same, without it')
  t.match(page.headers['content-security-policy'], /; form-action 'self' https:\/\/portal\.example\.com https:; /)

  const browser = gate.browser()
  const begun = await browser.send(action, { fragment: hash })
  t.equal(begun.statusCode, 303)
  const location = String(begun.headers.location)
  t.notMatch(unescaped(decodeURIComponent(location)), /#|zoom/, 'the provider does not learn it')
  t.equal(await land(gate, browser, location), `/agent?a=b${hash}`)
  t.notMatch(JSON.stringify([gate.lines, gate.events]), 'zoom')
})

t.test('by SAML it is not in the form for the provider either', async t => {
  const gate = await open(t, { providers: [createFakeProvider()] })
  const begun = await gate.browser().send('/auth/login/corp?return_to=/agent', { fragment: hash })
  t.equal(begun.statusCode, 200)
  t.notMatch(begun.body, 'zoom')
})

t.test('every other client is answered as before', async t => {
  const gate = await open(t)
  const isBefore = async (headers: Record<string, string>, status: number, method?: 'HEAD') => {
    const { statusCode, body } = await gate.ask('/auth/login?return_to=/a', headers, method)
    t.equal(statusCode, status, JSON.stringify(headers))
    t.notMatch(body, 'name="fragment"')
  }
  const undefinedMode = { 'sec-fetch-mode': '', 'sec-fetch-dest': '', 'sec-fetch-site': '' }
  await isBefore({ 'sec-purpose': 'prefetch' }, 503)
  await isBefore({ 'sec-purpose': 'prefetch;prerender' }, 503)
  await isBefore({ purpose: 'prefetch' }, 503)
  await isBefore({ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, 401)
  await isBefore({ 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 401)
  await isBefore({ 'sec-fetch-dest': 'iframe' }, 401)
  await isBefore({ ...undefinedMode, accept: '*/*' }, 401)
  const page = { host, accept: 'text/html,*/*', 'user-agent': 'curl/8.14.1' }
  const plain = await gate.app.inject({ url: '/auth/login?return_to=/a', headers: page })
  t.match(plain, { statusCode: 302, body: '' }, 'a client that says no more than Accept')
  t.match(plain.headers.location, /^https:\/\/portal\.example\.com\/login\?/)
  t.match(String(plain.headers['set-cookie']), /^__Host-deskgate-login\./)
  const head = await gate.ask('/auth/login', {}, 'HEAD')
  t.match(head, { statusCode: 200 })
  t.equal(head.headers['set-cookie'], undefined)
  t.equal((await gate.ask('/auth/login/portal')).statusCode, 302, 'a way in by its own address')
})

t.test('keepFragment: false is as before for every browser', async t => {
  const settings = { login: { keepFragment: false } }
  const gate = await open(t, { settings })
  t.equal((await gate.ask('/auth/login?return_to=/a')).statusCode, 302)
  const two = await open(t, { settings, providers: [createFakeProvider(), createFakeProvider({ id: 'b' })] })
  const chooser = await two.ask('/auth/login?return_to=/a')
  t.notMatch(chooser.body, /fragment|<script>/)
  t.match(chooser.headers['content-security-policy'], /; script-src 'none'; /)
})

t.test('the chooser has a form for it, and its links work without scripts', async t => {
  const gate = await open(t, { providers: [createFakeProvider(), createFakeProvider({ id: 'b' })] })
  const { body } = await gate.ask('/auth/login?return_to=/a')
  t.match(body, /data-fragment="post" href="\/auth\/login\/corp\?return_to&#61;%2Fa">/)
  t.match(body, /data-fragment="post" href="\/auth\/login\/b\?return_to&#61;%2Fa">/)
  t.match(body, '<form method="post" name="fragment" hidden><input type="hidden" name="fragment"></form>')
})

t.test('who is logged in already is redirected: browsers take the fragment along themselves', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  await browser.post('/auth/jwt', { jwt: await gate.token() })
  const answer = await browser.visit('/auth/login?return_to=/a?b')
  t.match(answer, { statusCode: 302, headers: { location: '/a?b' } })
})

t.test('another fragment than that of return_to wins; none leaves it', async t => {
  const gate = await open(t)
  for (const [fragment, expected] of [
    ['#b', '/a#b'],
    ['', '/a#a'],
  ] as const) {
    const browser = gate.browser()
    const begun = await browser.send('/auth/login/portal?return_to=/a%23a', { fragment })
    t.equal(await land(gate, browser, String(begun.headers.location)), expected)
  }
})

t.test(
  'Attack: a fragment of 64 kB, with markup, with deskgate_state, with line breaks, twice, or in the query',
  async t => {
    const gate = await open(t)
    const kept: [Record<string, string> | string, string][] = [
      [{ fragment: `#${'x'.repeat(65_536)}` }, '/a'],
      [{ fragment: `#${'/'.repeat(65_536)}` }, '/a'],
      [{ fragment: `#${'x'.repeat(301)}` }, '/a'],
      [{ fragment: `#${'x'.repeat(300)}` }, `/a#${'x'.repeat(300)}`],
      [{ fragment: '#"><script>alert(1)</script>' }, '/a#%22%3E%3Cscript%3Ealert(1)%3C/script%3E'],
      [{ fragment: '#deskgate_state=AAAAAAAAAAAAAAAAAAAAAA' }, '/a#deskgate_state=AAAAAAAAAAAAAAAAAAAAAA'],
      [{ fragment: '#?deskgate_state=x&return_to=//evil' }, '/a#?deskgate_state=x&return_to=//evil'],
      [{ fragment: '#a\r\nSet-Cookie: x=y' }, '/a'],
      [{ fragment: '//evil.example' }, '/a#//evil.example'],
      ['fragment=%23a&fragment=%23b', '/a'],
      ['fragment', '/a'],
      ['fragment=%ff%fe', '/a#%EF%BF%BD%EF%BF%BD'],
      ['', '/a'],
    ]
    for (const [form, expected] of kept) {
      const browser = gate.browser()
      const headers = { origin: `https://${host}`, 'sec-fetch-site': 'same-origin' }
      const begun = await browser.post('/auth/login/portal?return_to=/a&fragment=%23q', form, headers)
      t.equal(begun.statusCode, 303, String(begun.body))
      const location = String(begun.headers.location)
      const returnTo = new URL(location).searchParams.get('return_to') ?? ''
      t.match(
        returnTo,
        /^https:\/\/desk\.example\.com\/a\?fragment=%23q&deskgate_state=[\w-]{22}$|\/a\?deskgate_state=[\w-]{22}$/,
      )
      t.equal(await land(gate, browser, location), expected)
    }
    const markup = await gate.ask(
      `/auth/login?return_to=/a"><script>alert(1)</script>&x='><img src=x>`.replaceAll(' ', '%20'),
    )
    t.notMatch(markup.body, /<script>alert|<img/)
  },
)

t.test('Attack: a login begun by a page of another site, a script, a frame or a program', async t => {
  const gate = await open(t)
  const own = { origin: `https://${host}`, 'sec-fetch-site': 'same-origin' }
  for (const [name, headers, status] of [
    ['another site', {}, 403],
    ['a sibling host', { origin: 'https://evil.example.com', 'sec-fetch-site': 'same-site' }, 403],
    ['no Origin', { origin: '', 'sec-fetch-site': '' }, 403],
    ['Origin: null', { origin: 'null', 'sec-fetch-site': 'cross-site' }, 403],
    ['a script of Desk', { ...own, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, 401],
    ['a frame in Desk', { ...own, 'sec-fetch-dest': 'iframe' }, 401],
    ['ahead of time', { ...own, 'sec-purpose': 'prefetch' }, 503],
    ['JSON', { ...own, 'content-type': 'application/json' }, 415],
    ['our own page', own, 303],
  ] as const) {
    const browser = gate.browser()
    const answer = await browser.post('/auth/login/portal?return_to=/a', { fragment: hash }, headers)
    t.equal(answer.statusCode, status, name)
    t.equal(browser.cookies.size, status === 303 ? 1 : 0)
  }
  for (const id of ['other', '__proto__', 'PORTAL']) {
    t.equal((await gate.browser().send(`/auth/login/${id}`, { fragment: hash })).statusCode, 404, id)
  }
})

t.test('a refused login leads on with the fragment, and keeps it out of every address', async t => {
  const gate = await open(t)
  const browser = gate.browser()
  const begun = await browser.send('/auth/login/portal?return_to=/a', { fragment: hash })
  const state = new URL(String(begun.headers.location)).searchParams.get('state') ?? ''
  const refused = await browser.post('/auth/jwt', { jwt: await gate.token('off@example.com'), state })
  t.equal(refused.statusCode, 403)
  t.match(
    unescaped(refused.body),
    `href="/auth/login?return_to=%2Fa&account=other${hash}"`,
    'another way in: the chooser reads it',
  )
  const again = await browser.post('/auth/jwt', { jwt: await gate.token('ada@example.com', { iat: 1 }), state })
  const { action, fields } = formIn(again.body)
  t.same({ action, fields }, { action: '/auth/login/portal?return_to=%2Fa', fields: { fragment: hash } })
  t.match(
    again.headers['content-security-policy'],
    / https:; /,
    'the form may be sent on to wherever the provider leads',
  )
  const retried = await browser.send(action, fields)
  t.equal(await land(gate, browser, String(retried.headers.location)), `/a${hash}`)
})

t.test('a browser at another host takes the fragment along to publicUrl', async t => {
  const gate = await open(t)
  const page = await gate.ask('/auth/login?return_to=/a', { host: 'other.example.com' })
  t.equal(page.statusCode, 421)
  t.match(page.body, / data-fragment="keep" href="https:\/\/desk\.example\.com\/auth\/login\?return_to/)
  const next = await gate.ask('/auth/login?return_to=%2Fa&here=1', { host: 'other.example.com' })
  t.equal(formIn(next.body).action, '/auth/login/portal?return_to=%2Fa&here=1', 'behind a proxy with a Host of its own')
})
