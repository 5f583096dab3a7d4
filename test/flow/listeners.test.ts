// Other ways to listen and to be reached: a Unix socket, a prefix of one's own beside a Desk that uses /auth itself, and
// an ops listener without a token.

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, type Way } from '../parts/identity-provider.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const files = { 'idp.crt': idp.certificate }
const providers = [idp.settings.corp, idp.settings.portal]

t.test('on a Unix socket', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-socket-'))
  const path = join(folder, 'gateway.sock')
  const desk = await startDesk()
  const settings = {
    publicUrl,
    listen: `unix:${path}`,
    desk: { url: desk.url, public: ['/open'] },
    providers,
    agents: [{ any: true }],
  }
  const gateway = await startInProcessGateway(settings, { files })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
    await rm(folder, { recursive: true })
  })
  const ask = (target: string) =>
    new Promise<number>((resolve, reject) => {
      request({ socketPath: path, path: target, headers: { host: 'x' } }, answer => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
        .on('error', reject)
        .end()
    })
  t.match(
    gateway.lines.find(({ msg }) => msg === 'listening'),
    { url: `unix:${path}` },
  )
  t.equal(await ask('/open'), 200)
  t.equal(await ask('/closed'), 401)
  t.equal(await ask('/auth/jwks.json'), 200)
})

t.test('under another prefix', async t => {
  const desk = await startDesk()
  const settings = { publicUrl, prefix: '/sso', desk: { url: desk.url }, providers, agents: [{ any: true }] }
  const gateway = await startInProcessGateway(settings, { files })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const agent = createUserAgent(publicUrl, gateway)

  for (const way of ['corp', 'portal'] as Way[]) {
    t.test(`${way}: the login is under it, the callback stays where it was`, async t => {
      const stopped = await agent.visit('/auth/password?x=1')
      t.match(stopped, { status: 302, location: '/sso/login?return_to=%2Fauth%2Fpassword%3Fx%3D1' })
      const start = await agent.visit(`/sso/login/${way}?return_to=/auth/password?x=1`)
      const answer =
        way === 'corp' ? idp.saml('ada@example.com', start.location) : await idp.jwt('ada@example.com', start.location)
      const entered = await agent.postCrossSite(answer.path, answer.fields)
      t.match(
        entered,
        { status: 303, location: '/auth/password?x=1' },
        "Desk's own page under /auth is a place to go to",
      )
      const marks = entered.setCookies.filter(line => line.startsWith('__Secure-deskgate-seen='))
      t.equal(marks.length, 2, 'the mark is seen under the prefix and at the hand-overs')
      t.match(marks.join('\n'), /Path=\/sso;[\s\S]*Path=\/auth;/)
      t.equal((await agent.visit('/auth/password?x=1')).status, 200)
      t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
      t.equal(desk.last().url, '/auth/password?x=1', 'and it is Desk that answers')
      const unasked = await idp.jwt('bob@example.com')
      t.match(await agent.postCrossSite(unasked.path, unasked.fields), { status: 409, reason: 'login.other_session' })
      t.match(await agent.send('/sso/logout'), { headers: { refresh: /bye|logout/ } })
      t.same(
        agent.cookies.filter(({ name }) => /deskgate(?!-login\.|-way)/.test(name)),
        [],
        'nothing is left on any path',
      )
    })
  }

  t.test("paths under /auth are Desk's, but for the callbacks in any spelling", async t => {
    const start = await agent.visit('/sso/login/portal')
    const { path, fields } = await idp.jwt('ada@example.com', start.location)
    await agent.postCrossSite(path, fields)
    for (const own of [
      '/auth/login',
      '/auth/logout',
      '/auth/session',
      '/auth/jwks.json',
      '/auth/saml/metadata',
      '/auth',
    ]) {
      t.equal((await agent.visit(own)).status, 200)
      t.equal(desk.last().url, own)
    }
    const reached = desk.seen.length
    for (const ours of [
      '/AUTH/jwt',
      '/auth/JWT/callback',
      '/auth/saml/ACS',
      '/auth/saml/acs/',
      '/auth/saml/acs;x',
      '/auth/jwt/x/y',
    ]) {
      t.equal((await agent.postCrossSite(ours, { jwt: 'secret' })).status, 404, ours)
    }
    t.equal((await agent.visit('/sso/nothing')).status, 404)
    t.equal(desk.seen.length, reached, 'a misspelt hand-over shows Desk no token')
    const { keys } = JSON.parse((await agent.fetch('/sso/jwks.json')).body)
    t.equal(keys.length, 1)
    t.match((await agent.visit('/sso/saml/metadata')).body, 'Location="https://desk.example.com/auth/saml/acs"')
  })

  t.test('without a token the API is not there', async t => {
    const status = async (path: string, headers = {}) => (await fetch(gateway.opsUrl + path, { headers })).status
    t.equal(await status('/ready'), 200)
    for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Bearer undefined' }]) {
      t.equal(await status('/api/logins/AAAAA-AAAAA', headers), 404)
    }
  })
})
