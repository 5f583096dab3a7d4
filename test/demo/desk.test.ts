// The demo's Desk: it trusts the signed assertion and nothing else, and shows what it was told without being moved by it.

import { get } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createDemoDesk } from '../../src/demo/desk.js'
import { createTestClock } from '../parts/clock.js'
import { createAssertionSigner, goodHeaders } from '../parts/desk-assertion.js'

const issuer = 'http://desk.test'
const audience = 'http://desk.internal'

async function newDesk(t: Test) {
  const clock = createTestClock()
  const signer = await createAssertionSigner({ issuer, audience, clock })
  const app = createDemoDesk({ jwksUrl: `${issuer}/auth/jwks.json`, issuer, audience, clock, fetch: signer.fetch })
  t.teardown(() => app.close())
  const good = async () => ({ ...goodHeaders, 'x-agent-assertion': await signer.sign() })
  return { app, clock, signer, good }
}

t.test('an agent whom the gateway vouches for sees the queue and who reached Desk', async t => {
  const { app, good } = await newDesk(t)
  const { statusCode, body } = await app.inject({ url: '/', headers: await good() })
  t.equal(statusCode, 200)
  t.match(body, 'Aloha, João')
  t.match(body, '✓ verified')
  t.match(body, 'Jo%C3%A3o Silva', 'the header as it arrived')
  t.match(body, '<form method="post" action="/auth/logout">')
  t.match(body, 'Two charges for one booking')
  t.match((await app.inject({ url: '/api/me', headers: await good() })).json(), {
    email: 'joao@aloha.example',
    name: 'João Silva',
    roles: ['agent', 'admin'],
    provider: 'saml',
    assertion: { algorithm: 'ES256', left: 60 },
  })
})

t.test('Attack: a request without a good assertion is refused, whatever its headers say', async t => {
  const { app, clock, signer, good } = await newDesk(t)
  const other = await createAssertionSigner({ issuer, audience, clock })
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  const body = (await signer.sign()).split('.')[1]
  const refused: [string, Record<string, string>, RegExp][] = [
    ['nothing at all', {}, /did not come through the gateway/],
    ['headers without an assertion', goodHeaders, /did not come through the gateway/],
    ['an empty assertion', { ...goodHeaders, 'x-agent-assertion': '' }, /did not come through/],
    ["another key's", { ...goodHeaders, 'x-agent-assertion': await other.sign() }, /tried to pass as an agent/],
    ['alg none', { ...goodHeaders, 'x-agent-assertion': `${none}.${body}.` }, /tried to pass/],
    [
      'for another Desk',
      { ...goodHeaders, 'x-agent-assertion': await signer.sign({ aud: 'http://b' }) },
      /tried to pass/,
    ],
    [
      'of another issuer',
      { ...goodHeaders, 'x-agent-assertion': await signer.sign({ iss: 'http://b' }) },
      /tried to pass/,
    ],
    ['without an end', { ...goodHeaders, 'x-agent-assertion': await signer.sign({ exp: undefined }) }, /tried to pass/],
    [
      "another agent's e-mail",
      { ...(await good()), 'x-agent-email': 'maya@aloha.example' },
      /headers do not match the signature/,
    ],
    [
      'one role more',
      { ...(await good()), 'x-agent-roles': 'agent,admin,owner' },
      /headers do not match the signature/,
    ],
    ['another name', { ...(await good()), 'x-agent-name': 'Maya' }, /headers do not match the signature/],
    ['another number', { ...(await good()), 'x-agent-id': '1' }, /headers do not match the signature/],
    ['another provider', { ...(await good()), 'x-agent-provider': 'jwt' }, /headers do not match the signature/],
    ['two assertions', { ...goodHeaders, 'x-agent-assertion': `${await signer.sign()}, x` }, /tried to pass/],
  ]
  for (const [name, headers, why] of refused) {
    for (const url of ['/', '/tickets/1048', '/team', '/api/me', '/live', '/nowhere']) {
      const answer = await app.inject({ url, headers })
      t.equal(answer.statusCode, 403, `${name}: ${url}`)
      t.match(answer.body, why, name)
      t.notMatch(answer.body, 'Two charges')
    }
  }
})

t.test('an assertion is good until its end', async t => {
  const { app, clock, good } = await newDesk(t)
  const headers = await good()
  clock.move(59_000)
  t.equal((await app.inject({ url: '/', headers })).statusCode, 200)
  clock.move(2_000)
  t.equal((await app.inject({ url: '/', headers })).statusCode, 403)
})

t.test('without the keys of the gateway nobody gets in', async t => {
  const clock = createTestClock()
  const signer = await createAssertionSigner({ issuer, audience, clock })
  const fetch = async () => new Response('down', { status: 503 })
  const app = createDemoDesk({ jwksUrl: `${issuer}/auth/jwks.json`, issuer, audience, clock, fetch })
  t.teardown(() => app.close())
  const answer = await app.inject({ url: '/', headers: { ...goodHeaders, 'x-agent-assertion': await signer.sign() } })
  t.equal(answer.statusCode, 403)
  t.match(answer.body, /keys cannot be read/)
})

t.test('public files need no identity, and nothing hides behind their path', async t => {
  const { app } = await newDesk(t)
  for (const url of ['/assets/desk.css', '/assets/desk.js', '/assets/logo.svg']) {
    t.equal((await app.inject(url)).statusCode, 200, url)
  }
  for (const url of ['/assets/__proto__', '/assets/toString', '/assets/..%2fteam']) {
    t.equal((await app.inject(url)).statusCode, 404, url)
  }
  t.equal((await app.inject('/assets/../team')).statusCode, 403)
})

t.test('the Team page is for admins', async t => {
  const { app, good, signer } = await newDesk(t)
  const agent = {
    ...goodHeaders,
    'x-agent-roles': 'agent',
    'x-agent-assertion': await signer.sign({ roles: ['agent'] }),
  }
  t.equal((await app.inject({ url: '/team', headers: agent })).statusCode, 403)
  t.notMatch((await app.inject({ url: '/', headers: agent })).body, 'For team leads')
  t.equal((await app.inject({ url: '/team', headers: await good() })).statusCode, 200)
  t.match((await app.inject({ url: '/', headers: await good() })).body, 'For team leads')
})

const reply = (text: string) => new URLSearchParams({ text }).toString()
const formType = { 'content-type': 'application/x-www-form-urlencoded' }

t.test('an agent replies to a ticket, and what they wrote stays text', async t => {
  const { app, good } = await newDesk(t)
  const payload = reply('<script>alert(1)</script> & "thanks"')
  const headers = { ...(await good()), ...formType, origin: issuer }
  const answer = await app.inject({ method: 'POST', url: '/tickets/1048/replies', headers, payload })
  t.equal(answer.statusCode, 303)
  t.equal(answer.headers.location, '/tickets/1048')
  const page = await app.inject({ url: '/tickets/1048', headers: await good() })
  t.match(page.body, '&#60;script&#62;alert(1)&#60;/script&#62;')
  t.notMatch(page.body, '<script>alert')
  t.match(page.body, 'pill open', 'a new ticket is open once it has a reply')
})

t.test('names from the identity stay text too', async t => {
  const { app, signer } = await newDesk(t)
  const headers = {
    ...goodHeaders,
    'x-agent-name': '%3Cimg src=x onerror=alert(1)%3E',
    'x-agent-assertion': await signer.sign({ name: '<img src=x onerror=alert(1)>' }),
  }
  const { body } = await app.inject({ url: '/', headers })
  t.match(body, '&#60;img src&#61;x onerror')
  t.notMatch(body, '<img src=x')
})

t.test("Attack: another site's page cannot post a reply", async t => {
  const { app, good } = await newDesk(t)
  for (const origin of ['http://evil.test', 'null']) {
    const headers = { ...(await good()), ...formType, origin }
    const answer = await app.inject({ method: 'POST', url: '/tickets/1048/replies', headers, payload: reply('x') })
    t.equal(answer.statusCode, 403)
  }
})

t.test('an empty or endless reply, and a ticket that is not there, are refused', async t => {
  const { app, good } = await newDesk(t)
  const send = async (url: string, payload: string) =>
    (await app.inject({ method: 'POST', url, headers: { ...(await good()), ...formType }, payload })).statusCode
  t.equal(await send('/tickets/1048/replies', reply('  ')), 400)
  t.equal(await send('/tickets/1048/replies', reply('x'.repeat(2001))), 400)
  t.equal(await send('/tickets/1048/replies', reply('x'.repeat(70_000))), 413)
  t.equal(await send('/tickets/9/replies', reply('x')), 404)
})

t.test('the live line says who is here and who replied', async t => {
  const { app, good } = await newDesk(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const headers = await good()
  const said = await new Promise<string>((resolve, reject) => {
    let text = ''
    get({ host: '127.0.0.1', port, path: '/live', headers }, response => {
      t.equal(response.statusCode, 200)
      t.match(response.headers['content-type'], 'text/event-stream')
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.includes('event: here') && !text.includes('event: reply')) {
          app
            .inject({
              method: 'POST',
              url: '/tickets/1047/replies',
              headers: { ...headers, ...formType },
              payload: reply('On it.'),
            })
            .catch(reject)
        }
        if (text.includes('event: reply')) {
          response.destroy()
          resolve(text)
        }
      })
    }).on('error', reject)
  })
  t.match(said, 'event: here\ndata: {"agents":["João Silva"]}')
  t.match(said, 'event: reply\ndata: {"agent":"João Silva","ticket":1047}')
})
