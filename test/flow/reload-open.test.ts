// What is open while the settings change: WebSockets and event streams that the new settings would not let in are closed,
// and others are not touched.

import t from 'tap'
import { type ApiSetup, ada, startApiSetup } from '../parts/api-client.js'
import { logIn, portalSecret } from '../parts/identity-provider.js'
import { openRaw, type RawConnection } from '../parts/raw-http.js'
import { framesIn } from '../parts/websocket.js'

const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const other = 'another secret of the portal, more than 32 bytes'
const people = (roles: string[]) => JSON.stringify([{ email: ada, id: '7', name: 'Ada', roles }])

interface Open {
  stream: RawConnection
  socket: RawConnection
}

/** An event stream and a WebSocket that Desk keeps open. */
async function open({ desk, gateway }: ApiSetup, path: string, credentials: string): Promise<Open> {
  desk.onRequest((_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders(),
  )
  const [stream, socket] = [openRaw(gateway.port), openRaw(gateway.port)]
  stream.send([`GET ${path} HTTP/1.1`, 'Host: x', credentials, '', ''].join('\r\n'))
  socket.send([`GET ${path} HTTP/1.1`, 'Host: x', credentials, ...upgrade, key, '', ''].join('\r\n'))
  await stream.until(seen => seen.includes('\r\n\r\n'))
  if ((await socket.response()).status !== 101) throw new Error('no WebSocket')
  return { stream, socket }
}

async function closed({ stream, socket }: Open): Promise<number | undefined> {
  await Promise.all([stream.ended(), socket.ended()])
  return framesIn(socket.seen()).frames.at(-1)?.payload.readUInt16BE(0)
}

function close(...all: Open[]): void {
  for (const { stream, socket } of all) for (const one of [stream, socket]) one.close()
}

const settingsOf = (place: ApiSetup, portal: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  publicUrl: 'https://desk.example.com',
  desk: { url: place.desk.url, public: ['GET /open'] },
  providers: [{ ...place.idp.settings.portal, bearer: true, bearerAudience: 'desk-api', ...portal }],
  agents: [{ file: 'agents.yaml' }],
  ...more,
})

t.test('Attack: a login that was begun before its key was taken away ends by the settings of now', async t => {
  const place = await startApiSetup(t)
  const { path, fields } = await place.idp.jwt(ada)
  const body = new URLSearchParams(fields).toString()
  const slow = openRaw(place.gateway.port)
  const type = 'Content-Type: application/x-www-form-urlencoded'
  const waits = 'Expect: 100-continue'
  slow.send([`POST ${path} HTTP/1.1`, 'Host: x', type, waits, `Content-Length: ${body.length}`, '', ''].join('\r\n'))
  // The head has been read: the request keeps what it began with.
  await slow.until(seen => seen.includes('100 Continue'))
  slow.send(body.slice(0, -1))
  t.match(await place.gateway.reload(settingsOf(place, { secrets: [other] })), { applied: true })
  slow.send(body.slice(-1))
  t.match(await slow.response(), { status: 400 })
  slow.close()
})

const reloads: { what: string; portal?: object; more?: object; roles?: string[]; code: number }[] = [
  {
    what: 'its provider takes bearer tokens no more',
    portal: { bearer: false, bearerAudience: undefined },
    code: 4401,
  },
  { what: 'its key is gone', portal: { secrets: [other] }, code: 4401 },
  { what: 'its path is for others', more: { access: { paths: [{ match: '/api/*', roles: ['admin'] }] } }, code: 4401 },
  { what: 'its agent may not come this way', portal: { allow: { domains: ['else.example'] } }, code: 4401 },
  { what: 'its agent has another role', roles: ['guest'], code: 1012 },
]

for (const { what, portal = {}, more = {}, roles, code } of reloads) {
  t.test(`Attack: what a bearer token has opened does not outlive a reload: ${what}`, async t => {
    const place = await startApiSetup(t)
    const mine = await open(place, '/api/live', `Authorization: Bearer ${place.token()}`)
    const result = await place.gateway.reload(
      settingsOf(place, portal as Record<string, unknown>, more as Record<string, unknown>),
      roles ? { 'agents.yaml': people(roles) } : { 'agents.yaml': people(['agent']) },
    )
    t.match(result, { applied: true })
    t.equal(await closed(mine), code)
  })
}

t.test('Attack: a cookie beside the token does not keep open what the token has opened', async t => {
  const place = await startApiSetup(t)
  const agent = place.newAgent()
  t.equal((await logIn(agent, place.idp, { way: 'portal', email: ada })).status, 303)
  const cookie = agent.cookieHeader('/')
  const mine = await open(place, '/api/live', `Authorization: Bearer ${place.token()}\r\nCookie: ${cookie}`)
  const portal = { bearer: false, bearerAudience: undefined }
  t.match(await place.gateway.reload(settingsOf(place, portal)), { applied: true })
  t.equal(await closed(mine), 4401)
})

t.test('a reload that says the same of it closes nothing', async t => {
  const place = await startApiSetup(t)
  const mine = await open(place, '/api/live', `Authorization: Bearer ${place.token()}`)
  const portal = { secrets: [other, portalSecret] }
  t.match(await place.gateway.reload(settingsOf(place, portal)), { applied: true })
  // A second one: what the first began is over before it.
  t.match(await place.gateway.reload(settingsOf(place)), { applied: true })
  place.desk.onRequest((_request, response) => void response.end('short'))
  t.equal((await place.bearer(place.token())).status, 200)
  t.same([mine.stream.socket.readyState, mine.socket.socket.readyState], ['open', 'open'])
  close(mine)
})

t.test('Attack: a path that is closed by a reload is closed for what a session has open there', async t => {
  const place = await startApiSetup(t)
  const agent = place.newAgent()
  t.equal((await logIn(agent, place.idp, { way: 'portal', email: ada })).status, 303)
  const cookie = `Cookie: ${agent.cookieHeader('/')}`
  const [secret, plain] = [await open(place, '/admin/live', cookie), await open(place, '/tickets/live', cookie)]
  const access = { paths: [{ match: '/admin/*', roles: ['admin'] }] }
  t.match(await place.gateway.reload(settingsOf(place, {}, { access })), { applied: true })
  t.equal(await closed(secret), 1012)
  t.same([plain.stream.socket.readyState, plain.socket.socket.readyState], ['open', 'open'])
  close(plain)
})
