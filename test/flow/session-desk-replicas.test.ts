// The session desk on two replicas with a real Redis: a session that is ended at one ends at both within a second, and what
// one replica has refused is found at the other.

import t from 'tap'
import { longSecret } from '../parts/configuration.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { startSessionDesk } from '../parts/session-desk.js'
import type { UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const zoe = 'zoe@example.com'
/** What is promised; on a quiet machine it is some twenty milliseconds. */
const promise = 1000

const follow = async (agent: UserAgent, path: string) => {
  const first = await agent.visit(path)
  return first.status === 303 ? agent.visit(first.location) : first
}

t.test('two replicas', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis({ process: 'any' })
  t.teardown(redis.stop)
  const store = { url: redis.url, keyPrefix: redis.keyPrefix }
  const settings = { sessions: { store, nearCache: '30s' }, secrets: [longSecret('ring')] }
  const at = 'http://localhost:8080'
  const one = await startSessionDesk(settings, { at, storeTimeout: 20_000 })
  t.teardown(one.close)
  const two = await startSessionDesk(settings, { at, storeTimeout: 20_000 })
  t.teardown(two.close)
  const operator = await one.logIn()
  const agent = await one.logIn(zoe)
  const ask = (server: typeof one) => agent.fetch('/tickets', { at: { port: server.gateway.port } })
  t.match([await ask(one), await ask(two)], [{ status: 200 }, { status: 200 }], 'both remember the session')

  const { body } = await follow(operator, `/auth/admin?q=${zoe}`)
  const form = (body.match(/<form method="post".*?<\/form>/gs) ?? []).find(form => form.includes('value="agent"')) ?? ''
  const fields = Object.fromEntries(
    [...form.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  )
  const began = performance.now()
  const answer = await operator.send('/auth/admin', fields)
  t.match(answer, { status: 303, location: /done=ended&count=1/ })
  await until(async () => (await ask(one)).status === 401 && (await ask(two)).status === 401)
  const took = performance.now() - began
  t.ok(took < promise, `${took.toFixed(0)} ms`)

  const refused = await one.refuse()
  await until(async () => (await follow(await two.logIn(), `/auth/admin/refused?ref=${refused}`)).status === 200)
  const list = await follow(await two.logIn(), '/auth/admin/refused')
  t.match(list.body, refused)
})
