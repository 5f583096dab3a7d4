// Single logout with SimpleSAMLphp and two gateways on one Redis: begun here and begun there, by both bindings, every
// message signed and verified by the other side.

import t, { type Test } from 'tap'
import type { Navigation } from '../../src/core/providers.js'
import { rsaPair } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { formIn } from '../parts/forms.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { acsPath, loginOutcome, publicUrl } from '../parts/interop-gateway.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { noSimpleSamlPhp, type SimpleSamlPhp, startSimpleSamlPhp, type User } from '../parts/simplesamlphp.js'
import { answerOf, isAsked, leaving, pageFrom, visitorOf } from '../parts/simplesamlphp-login.js'
import { createUserAgent, exchange, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const bindings = 'urn:oasis:names:tc:SAML:2.0:bindings'
const ours = rsaPair(Date.UTC(2035, 0, 1))
const own = { key: 'sp.key', certificate: 'sp.crt' }
const sloPath = '/auth/saml/slo'
const signedLogout = { 'sign.logout': true, 'validate.logout': true }

type Binding = 'redirect' | 'post'
const names: Record<Binding, string> = { redirect: `${bindings}:HTTP-Redirect`, post: `${bindings}:HTTP-POST` }

/** Two gateways on one Redis, to which SimpleSAMLphp speaks by one binding. */
async function start(t: Test, idp: SimpleSamlPhp, binding: Binding, provider: Record<string, unknown> = own) {
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk()])
  await idp.configure({ SingleLogoutServiceBinding: [names[binding]] })
  const corp = { id: 'corp', type: 'saml', name: 'Aloha', metadata: idp.metadataUrl, ...provider }
  const settings = {
    publicUrl,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [corp],
    agents: [{ domains: ['example.com'] }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
  }
  const files = { 'sp.key': ours.key, 'sp.crt': ours.certificate }
  const both = await Promise.all([
    startInProcessGateway(settings, { files }),
    startInProcessGateway(settings, { files }),
  ])
  t.teardown(async () => {
    await Promise.all(both.map(gateway => gateway.close()))
    await Promise.all([redis.stop(), desk.close()])
  })
  const [one, two] = both
  for (const at of both) {
    await until(async () => (await createUserAgent(publicUrl, at).visit('/auth/login/corp')).status === 302)
  }
  const metadata = (await createUserAgent(publicUrl, one).fetch('/auth/saml/metadata')).body
  // It would take the redirect where there are both.
  const other = names[binding === 'redirect' ? 'post' : 'redirect']
  await idp.importSp(metadata.replace(new RegExp(`<md:SingleLogoutService Binding="${other}"[^>]*>`), ''))
  return { one, two, both }
}

/** One browser, logged in at both. */
async function enter(idp: SimpleSamlPhp, at: InProcessGateway, user: User = 'jane') {
  const [agent, visitor] = [createUserAgent(publicUrl, at), visitorOf(idp)]
  const { location } = await agent.visit('/auth/login/corp?return_to=/')
  const { fields } = await answerOf(idp, visitor, user, location)
  const entered = await agent.postCrossSite(acsPath, fields)
  if (loginOutcome(entered) !== '303 /') throw new Error(loginOutcome(entered))
  return { agent, visitor, cookie: agent.cookieHeader('/') }
}

/** Where a logout begins that begins at SimpleSAMLphp. */
function initiatedAt({ url }: SimpleSamlPhp): string {
  return `${url}/saml2/idp/SingleLogoutService.php?ReturnTo=${encodeURIComponent(`${url}/logout.php`)}`
}

/** What a session is worth at each gateway. */
async function statuses(both: InProcessGateway[], cookie: string): Promise<number[]> {
  const headers = { host: 'desk.example.com', cookie }
  return Promise.all(both.map(async at => (await exchange(at, '/', { headers })).status))
}

/** The browser brings what SimpleSAMLphp sent it off with. */
async function bring(agent: UserAgent, at: InProcessGateway, leave: Navigation) {
  const address = 'redirect' in leave ? leave.redirect : leave.post
  if (!address.startsWith(`${publicUrl}${sloPath}`)) throw new Error(`it went to ${address}`)
  if ('redirect' in leave) return agent.visit(address.slice(publicUrl.length), { at })
  return agent.postCrossSite(sloPath, leave.fields, { at })
}

/** Where one of our pages sends the browser: by redirect, by a page that continues by itself, or by its form. */
function sentOff({ location, headers, body }: { location: string; headers: object; body: string }): Navigation {
  const refresh = (headers as { refresh?: string }).refresh?.slice('0;url='.length)
  if (location !== '' || refresh !== undefined) return { redirect: location || (refresh ?? '') }
  const { action, fields } = formIn(body)
  return { post: action, fields }
}

/** The message as its receiver reads it, and whether it is signed in the way of its binding. */
function opened(leave: Navigation) {
  if ('redirect' in leave) {
    const query = new URL(leave.redirect).searchParams
    return { kind: query.has('SAMLRequest') ? 'request' : 'response', signed: query.has('Signature') }
  }
  const xml = Buffer.from(leave.fields.SAMLRequest ?? leave.fields.SAMLResponse ?? '', 'base64').toString('utf8')
  return { kind: 'SAMLRequest' in leave.fields ? 'request' : 'response', signed: xml.includes('SignatureValue>') }
}

t.test('single logout with SimpleSAMLphp', { skip: missingParts('redis') || noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp()
  t.teardown(idp.stop)
  await idp.configure(signedLogout)
  const initiated = initiatedAt(idp)

  for (const binding of ['redirect', 'post'] as const) {
    t.test(`by ${binding}`, async t => {
      const { one, two, both } = await start(t, idp, binding)

      t.test('begun here: the agent is out on both gateways and at the provider', async t => {
        const [{ agent, visitor, cookie }, ben] = [await enter(idp, one), await enter(idp, two, 'ben')]
        t.same(await statuses(both, cookie), [200, 200])
        const request = sentOff(await agent.send('/auth/logout', {}, { at: two }))
        t.same(opened(request), { kind: 'request', signed: true })
        t.same(await statuses(both, cookie), [401, 401], 'out here before the provider is asked')

        const response = await leaving(idp, visitor, request)
        t.same(opened(response), { kind: 'response', signed: true })
        const back = await bring(agent, one, response)
        t.match(back, { status: 303, location: '/auth/logged-out' })
        t.equal((await agent.visit('/auth/logged-out')).status, 200)
        const told = one.lines.filter(({ msg }) => msg === 'logout response received from identity provider')
        t.equal(told.length, 1)
        t.equal(told[0]?.reason, undefined, 'its answer was believed, and says that it worked')

        const { location } = await agent.visit('/auth/login/corp')
        t.equal(await isAsked(idp, visitor, location), true, 'the provider asks to log in again')
        t.same(await statuses(both, ben.cookie), [200, 200], 'nobody else is out')
      })

      t.test('begun there: the session ends on both gateways, and the provider takes our answer', async t => {
        const [{ agent, visitor, cookie }, ben] = [await enter(idp, one), await enter(idp, two, 'ben')]
        const request = await leaving(idp, visitor, initiated)
        t.same(opened(request), { kind: 'request', signed: true })
        const response = sentOff(await bring(agent, two, request))
        t.same(await statuses(both, cookie), [401, 401])
        t.same(opened(response), { kind: 'response', signed: true })
        t.notMatch(agent.cookieHeader('/'), '__Host-deskgate=', 'and the browser holds no session any more')

        const before = (await idp.log()).length
        const end = await pageFrom(idp, visitor, response)
        t.equal(end.status, 200)
        t.match((await idp.log()).slice(before), /Logged out of 'saml:desk\.example\.com'/)
        t.equal((await bring(agent, one, request)).reason, 'saml.replayed', 'once')
        t.same(await statuses(both, ben.cookie), [200, 200])
      })

      t.test('Attack: unsigned messages, which it sends unless it is told to sign: refused', async t => {
        const { agent, visitor, cookie } = await enter(idp, one)
        await idp.configure({ 'sign.logout': false })
        const request = await leaving(idp, visitor, initiated)
        t.equal(loginOutcome(await bring(agent, one, request)), '400 saml.signature_missing')
        t.same(await statuses(both, cookie), [200, 200])
        await idp.configure(signedLogout)
      })
    })
  }

  t.test('begun there with an encrypted NameID, as its logins have it too', async t => {
    const encrypting = await startSimpleSamlPhp({ cipher: 'AES128_GCM' })
    t.teardown(encrypting.stop)
    await encrypting.configure({ ...signedLogout, 'nameid.encryption': true })
    const { one, two, both } = await start(t, encrypting, 'redirect')
    const { agent, visitor, cookie } = await enter(encrypting, one)
    const request = await leaving(encrypting, visitor, initiatedAt(encrypting))
    const response = sentOff(await bring(agent, two, request))
    t.same(opened(response), { kind: 'response', signed: true })
    t.same(await statuses(both, cookie), [401, 401])
  })

  t.test('without a key of ours it takes nothing of us, and the agent is out here all the same', async t => {
    const { one, both } = await start(t, idp, 'redirect', {})
    const { agent, visitor, cookie } = await enter(idp, one)
    const request = sentOff(await agent.send('/auth/logout', {}))
    t.same(opened(request), { kind: 'request', signed: false })
    await t.rejects(leaving(idp, visitor, request), { message: /refuses/ })
    t.same(await statuses(both, cookie), [401, 401])
  })
})
