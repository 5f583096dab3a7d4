// Agents looked up one by one over HTTP: what an answer means, how long it counts, and what an API that fails can do.

import t, { type Test } from 'tap'
import { createReader } from '../../../../src/config/reader.js'
import { agents as agentsSchema } from '../../../../src/config/schema/agents.js'
import { openDirectory } from '../../../../src/directory/directory.js'
import { createLog } from '../../../../src/ops/log.js'
import { createMetrics } from '../../../../src/ops/metrics.js'
import { systemRandom } from '../../../../src/runtime/clock.js'
import { createHttpClient } from '../../../../src/runtime/http-client.js'
import { type AgentsApi, httpMap, type Person, person, startAgentsApi } from '../../../parts/agents-api.js'
import { createTestClock } from '../../../parts/clock.js'
import { until } from '../../../parts/wait-until.js'

async function open(t: Test, people: Person[], changes: (api: AgentsApi) => Record<string, unknown> = () => ({})) {
  const api = await startAgentsApi(people)
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) })
  const clock = createTestClock()
  const fetchText = createHttpClient()
  const http = { url: api.lookUpUrl, list: '/_embedded/entries', map: httpMap, staleFor: '1h', ...changes(api) }
  const sources = agentsSchema(createReader({ folder: '.', env: {} })).parse([{ http }])
  const directory = openDirectory(sources, { fetchText, clock, random: systemRandom, log, metrics: createMetrics() })
  t.teardown(async () => {
    directory.close()
    await fetchText.close()
    await api.close()
  })
  const changed: string[][] = []
  directory.onChange(emails => changed.push([...emails]))
  const find = (name: string) => directory.find(`${name}@example.com`).catch((error: Error) => error.name)
  return { api, directory, clock, lines, changed, find }
}

t.test('one look-up per e-mail, shared and kept', async t => {
  const { api, find, clock, directory } = await open(t, [person('ada'), person('bob', { available: false })])
  const answers = await Promise.all([find('ada'), find('ada'), find('ada')])
  for (const answer of answers) t.match(answer, { email: 'ada@example.com', roles: ['agent'] })
  t.same(api.seen, ['/api/v2/users?email=ada%40example.com'])
  t.equal(await find('bob'), 'disabled')
  t.equal(await find('eve'), 'unknown')
  clock.move(59_000)
  await find('ada')
  t.equal(api.seen.length, 3, 'still good')
  await find('eve')
  t.equal(api.seen.length, 4, 'who was unknown is asked for again soon')
  clock.move(2000)
  await find('ada')
  t.equal(api.seen.length, 5)
  t.equal(directory.askEvery, 60_000)
})

t.test('Attack: an answer about somebody else lets nobody in', async t => {
  const { api, find } = await open(t, [])
  const says = (entries: Person[]) => {
    api.wrong = (_, response) => response.end(JSON.stringify({ _embedded: { entries } }))
  }
  says([person('ada', { email: 'adam@example.com' })])
  t.equal(await find('ada'), 'unknown')
  says([person('bob', { email: 'bobby@example.com' }), person('bob', { email: 'BOB@Example.com' })])
  t.match(await find('bob'), { email: 'bob@example.com' })
  says([person('cyd'), person('cyd', { level: 'admin' })])
  t.equal(await find('cyd'), 'disabled', 'two that do not agree')
})

t.test('an answer may be the agent alone', async t => {
  const { api, find } = await open(t, [], () => ({ list: '' }))
  api.wrong = (_, response) => response.end(JSON.stringify(person('ada')))
  t.match(await find('ada'), { id: '3' })
})

t.test('Attack: an address stays a value of the URL', async t => {
  const { api, directory } = await open(t, [])
  await directory.find("o'b&active=1#/../%2e%2e/?x@example.com")
  t.same(api.seen, ['/api/v2/users?email=o%27b%26active%3D1%23%2F..%2F%252e%252e%2F%3Fx%40example.com'])
})

t.test('404 is nobody; a page that says 404 is a failure', async t => {
  const { api, find } = await open(t, [])
  api.wrong = (_, response) => response.writeHead(404, { 'content-type': 'application/json' }).end('{}')
  t.equal(await find('ada'), 'unknown')
  api.wrong = (_, response) => response.writeHead(404).end()
  t.equal(await find('bob'), 'unknown')
  api.wrong = (_, response) => response.writeHead(404, { 'content-type': 'text/html; charset=utf-8' }).end('<h1>404')
  t.equal(await find('cyd'), 'DirectoryUnavailable')
})

t.test('while the API is down the last answer is used until staleFor, and other addresses fail', async t => {
  const { api, find, clock, directory, lines } = await open(t, [person('ada')])
  await find('ada')
  const [known, asked] = [await directory.knownState('ada@example.com'), clock.now()]
  t.match(known, { found: { id: '3' }, at: asked })
  api.wrong = (_, response) => response.writeHead(503).end()
  clock.move(61_000)
  t.match(await find('ada'), { id: '3' })
  t.equal(await find('eve'), 'DirectoryUnavailable')
  t.equal(api.seen.length, 2, 'an API that has just failed is given a moment')
  t.match(await directory.knownState('ada@example.com'), { at: asked }, 'as old as it is')
  t.equal(await directory.knownState('eve@example.com'), undefined)
  clock.move(3_600_000)
  t.equal(await find('ada'), 'DirectoryUnavailable')
  t.equal(lines.filter(({ level }) => level === 'warn').length, 1, 'said once')
  api.wrong = undefined
  clock.move(3000)
  t.match(await find('ada'), { id: '3' })
  t.match(lines.at(-1), { msg: 'agents look-up available again' })
})

t.test('a changed answer calls the listener', async t => {
  const { api, directory, clock, changed } = await open(t, [person('ada')])
  await directory.knownState('ada@example.com')
  clock.move(61_000)
  api.people = []
  t.match(await directory.knownState('ada@example.com'), { found: 'unknown' })
  t.same(changed, [['ada@example.com']])
})

t.test('Attack: many logins at once do not become many calls at once', async t => {
  const { api, find } = await open(t, [])
  const held: (() => void)[] = []
  api.wrong = (_, response) => void held.push(() => response.end('{"_embedded":{"entries":[]}}'))
  const answers = Array.from({ length: 40 }, (_, i) => find(`agent${i}`))
  await until(() => held.length === 16)
  t.equal(api.seen.length, 16)
  let released = 0
  await until(() => {
    for (const release of held.splice(0)) {
      release()
      released++
    }
    return released === 40
  })
  t.same(new Set(await Promise.all(answers)), new Set(['unknown']))
})
