// POST /auth/revoke on two replicas of two processes each and a real Redis: of two hundred sessions with WebSockets one
// person's end everywhere within a second, and a token counts once wherever it arrives.

import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { type AgentSession, idpSecret, startFleet } from '../parts/revocation.js'
import { byEmail, callRevoke, createRevocationCaller } from '../parts/revocation-caller.js'
import { forged, hmac } from '../parts/tokens.js'
import { until } from '../parts/wait-until.js'
import { openWebSocket } from '../parts/websocket.js'

const visitors = 200
const agents = 10
const [ada, bob] = ['ada@example.com', 'bob@example.com']
const emails = [ada, bob, ...Array.from({ length: agents - 2 }, (_, i) => `agent${i}@example.com`)]
const okta = createRevocationCaller()
/** In a quiet machine it takes some twenty milliseconds; the promise is a second. */
const promise = 1000

const bearer = (email: string, iat = Math.floor(Date.now() / 1000)) =>
  forged({ alg: 'HS256' }, { email, aud: 'desk-api', iat, exp: iat + 600 }, hmac(idpSecret))
const closed = (of: { socket: AgentSession['socket'] }[]) =>
  of.filter(({ socket }) => socket.closed()?.code === 4401).length

t.test('a revocation call on two replicas', { skip: missingParts('redis-server') }, async t => {
  const fleet = await startFleet({
    ...{ replicas: 2, workers: 2, nearCache: '30s', files: { 'okta.json': okta.jwks } },
    provider: {
      ...{ bearer: true, bearerAudience: 'desk-api', requireState: false },
      revocation: { jwks: 'okta.json', issuer: okta.issuer },
    },
  })
  t.teardown(fleet.stop)
  const [one, two] = fleet.replicas
  if (!one || !two) throw new Error('two replicas')
  const enter = (email: string, i: number) => fleet.logIn(email, i % 2 === 0 ? one : two)
  const all = await Promise.all(Array.from({ length: visitors }, (_, i) => enter(emails[i % agents] ?? '', i >> 1)))
  t.same([...new Set(all.map(({ socket }) => socket.status))], [101])
  const of = (...some: string[]) => all.filter(({ email }) => some.includes(email))
  /** Some at a time: what is tested is not how many requests a busy machine takes at once. */
  const statuses = async (sessions: AgentSession[]) => {
    const found = new Set<number>()
    for (let at = 0; at < sessions.length; at += 20) {
      const some = sessions.slice(at, at + 20)
      const answers = await Promise.all(some.flatMap(one => fleet.replicas.map(at => fleet.ask(one, at))))
      for (const status of answers) found.add(status)
    }
    return [...found]
  }
  const api = async (token: string) => {
    const pages = await Promise.all(
      fleet.replicas.map(at =>
        fetch(`${at.url}/api`, { headers: { authorization: `Bearer ${token}` } }).then(async answer => {
          await answer.arrayBuffer()
          return answer.status
        }),
      ),
    )
    return [...new Set(pages)]
  }
  const old = { [ada]: bearer(ada), [bob]: bearer(bob) }
  const apiSockets = await Promise.all(
    [ada, bob].flatMap(email =>
      fleet.replicas.map(async at => ({
        email,
        socket: await openWebSocket(at.port, `x=1\r\nAuthorization: Bearer ${old[email]}`),
      })),
    ),
  )
  t.teardown(() => {
    for (const { socket } of [...all, ...apiSockets]) socket.raw.close()
  })
  t.same(await statuses(all), [200])
  for (const token of Object.values(old)) t.same(await api(token), [200])

  await t.test(
    "of 200 sessions with WebSockets one person's end within a second; the others are untouched",
    async t => {
      const began = performance.now()
      const gone = [...of(ada), ...apiSockets.filter(({ email }) => email === ada)]
      t.equal((await callRevoke(one, okta.token(Date.now()), byEmail(ada))).status, 204)
      const answered = performance.now() - began
      await until(() => closed(gone) === gone.length)
      const everywhere = performance.now() - began
      t.same(await statuses(of(ada)), [401])
      t.comment(
        `answered after ${answered.toFixed()} ms, ${gone.length} sockets closed after ${everywhere.toFixed()} ms`,
      )
      t.ok(everywhere < promise, `${everywhere.toFixed()} ms`)
      t.same(await api(old[ada] ?? ''), [401], 'a bearer token from before')
      const others = [...of(...emails.slice(1)), ...apiSockets.filter(({ email }) => email !== ada)]
      t.equal(closed(others), 0)
      t.same(await statuses(of(...emails.slice(1))), [200])
      t.same(await api(old[bob] ?? ''), [200])
      const before = others.map(({ socket }) => socket.frames().length)
      for (const { socket } of others) socket.send('hello')
      await until(() => others.every(({ socket }, i) => socket.frames().length > (before[i] ?? 0)))
    },
  )

  await t.test('Attack: one token at every process at once, twenty times, counts once', async t => {
    const token = okta.token(Date.now())
    const pages = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        callRevoke(i % 2 === 0 ? one : two, token, byEmail(`nobody${i}@example.com`)),
      ),
    )
    t.equal(pages.filter(({ status }) => status === 204).length, 1)
    t.equal(pages.filter(({ status, reason }) => status === 401 && reason === 'jwt.replayed').length, 19)
  })

  await t.test('a thousand good calls: all are carried out, and nobody else notices', async t => {
    const names = Array.from({ length: 1000 }, (_, i) => `person${i}@example.com`)
    const began = performance.now()
    let slowest = 0
    let busy = true
    const probing = (async () => {
      while (busy) {
        const asked = performance.now()
        t.equal(await fleet.ask(of(bob)[0] as AgentSession, two), 200)
        slowest = Math.max(slowest, performance.now() - asked)
      }
    })()
    const statuses = new Set<number>()
    for (let at = 0; at < names.length; at += 100) {
      const pages = await Promise.all(
        names
          .slice(at, at + 100)
          .map((name, i) => callRevoke(i % 2 === 0 ? one : two, okta.token(Date.now()), byEmail(name))),
      )
      for (const { status } of pages) statuses.add(status)
    }
    busy = false
    await probing
    t.same([...statuses], [204])
    t.comment(`${(performance.now() - began).toFixed()} ms; the slowest other request took ${slowest.toFixed()} ms`)
  })

  await t.test('with messages lost, a bearer token from before is refused by nearCache at the latest', async t => {
    const lines = fleet.replicas.map(({ lines }) => lines.length)
    await fleet.cutSubscriptions()
    for (const [i, replica] of fleet.replicas.entries()) {
      await until(() => replica.lines.slice(lines[i]).some(({ msg }) => msg?.startsWith('subscription refused')))
    }
    t.equal((await callRevoke(two, okta.token(Date.now()), byEmail(bob))).status, 204)
    t.same(await api(old[bob] ?? ''), [401], 'a process that hears nothing asks the store')
    t.same(await statuses(of(bob)), [401])
    await fleet.restoreSubscriptions()
    const sockets = apiSockets.filter(({ email }) => email === bob)
    await until(() => closed(sockets) === sockets.length)
  })

  await t.test('Redis is away: 503, nothing is forgotten, and the same token may come again', async t => {
    const [next = ''] = emails.slice(2)
    const token = okta.token(Date.now())
    fleet.redis.pause()
    const failed = await callRevoke(one, token, byEmail(next))
    t.match(failed, { status: 503, headers: { 'retry-after': /^\d+$/ } })
    fleet.redis.resume()
    await until(async () => {
      const page = await callRevoke(one, token, byEmail(next))
      return page.status === 204 || page.reason === 'jwt.replayed'
    })
    await until(() => closed(of(next)) === of(next).length)
    t.same(await statuses(of(next)), [401])
  })
})
