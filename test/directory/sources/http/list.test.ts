// Agents from a list over HTTP: what is taken, what is refused, and what counts while the API is down or talks nonsense.

import type { ServerResponse } from 'node:http'
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
import { startHttpServer } from '../../../parts/http-server.js'
import { createTestTimers } from '../../../parts/timers.js'
import { until } from '../../../parts/wait-until.js'

type Line = Record<string, unknown>

async function open(t: Test, people: Person[], changes: (api: AgentsApi) => Record<string, unknown> = () => ({})) {
  const api = await startAgentsApi(people)
  const lines: Line[] = []
  const log = createLog({ level: 'info' }, { write: text => void lines.push(JSON.parse(text)) })
  const clock = createTestClock()
  const timers = createTestTimers()
  const fetchText = createHttpClient()
  const metrics = createMetrics()
  const paths = { list: '/_embedded/entries', next: '/_links/next/href' }
  const http = { url: api.url, ...paths, map: httpMap, ...changes(api) }
  const sources = agentsSchema(createReader({ folder: '.', env: { TOKEN: 'a-secret-token' } })).parse([{ http }])
  const deps = { fetchText, clock, random: systemRandom, log, metrics, later: timers.later }
  const directory = openDirectory(sources, deps)
  t.teardown(async () => {
    directory.close()
    await fetchText.close()
    await api.close()
  })
  const early = directory.find('early@example.com').catch((error: Error) => error.name)
  await directory.ready()
  const changed: string[][] = []
  directory.onChange(emails => changed.push([...emails]))
  /** The next reading, from its timer to its end. */
  const refresh = async () => {
    clock.move(60_000)
    timers.fire()
    await until(() => timers.pauses().length > 0)
  }
  const find = (name: string) => directory.find(`${name}@example.com`).catch((error: Error) => error.name)
  const warnings = () => lines.filter(({ level }) => level === 'warn')
  return { api, directory, early, clock, timers, lines, changed, refresh, find, warnings, metrics }
}

const team = () => [person('ada', { level: ['admin', 'agent'] }), person('bob', { available: false }), person('cyd')]

t.test('a login before the first list waits for it', async t => {
  t.match(await (await open(t, [person('early')])).early, { email: 'early@example.com' })
})

t.test('a list says who is an agent', async t => {
  const { find, lines, metrics } = await open(t, team())
  t.same(await find('ada'), { email: 'ada@example.com', id: '3', name: 'ada', roles: ['admin', 'agent'] })
  t.equal(await find('bob'), 'disabled')
  t.equal(await find('eve'), 'unknown')
  t.match(lines.at(-1), { msg: 'agents loaded', agents: 3 })
  t.match((await metrics.text()).body, /deskgate_directory_agents\{source="http .*\/api\/v2\/users"\} 3/)
})

for (const paging of ['body', 'link'] as const) {
  t.test(
    `a list of many pages, the next one named in the ${paging}, is read whole; unchanged pages are not sent again`,
    async t => {
      const many = Array.from({ length: 25 }, (_, i) => person(`agent${i}`))
      const opened = await open(t, many, api => {
        Object.assign(api, { perPage: 10, paging, etags: true })
        return paging === 'link' ? { next: undefined } : {}
      })
      const { api, find, refresh, changed } = opened
      t.match(await find('agent24'), { email: 'agent24@example.com' })
      t.equal(api.seen.length, 3)
      await refresh()
      t.equal(api.seen.slice(3).filter(target => target.startsWith('304')).length, 3)
      api.people[12] = person('agent12', { available: 0 })
      await refresh()
      t.equal(api.seen.slice(6).filter(target => target.startsWith('304')).length, 2, 'only the page that has changed')
      t.equal(await find('agent12'), 'disabled')
      t.same(changed, [['agent12@example.com']])
    },
  )
}

t.test('the record of an agent changes with the list', async t => {
  const { api, find, refresh, changed, lines } = await open(t, team())
  api.people[0] = person('ada', { level: 'agent', name: 'Ada L.' })
  api.people.pop()
  api.people.push(person('dee'))
  await refresh()
  t.match(await find('ada'), { roles: ['agent'], name: 'Ada L.' })
  t.equal(await find('cyd'), 'unknown')
  t.match(await find('dee'), { id: '3' })
  t.same(changed[0]?.sort(), ['ada@example.com', 'cyd@example.com', 'dee@example.com'])
  t.match(lines.at(-1), { msg: 'agents changed', agents: 3, changed: 3 })
})

t.test('while the API is down, agents of the last copy are found, others are not, until staleFor is over', async t => {
  const { api, find, refresh, clock, directory, timers, warnings, lines } = await open(t, team(), () => ({
    staleFor: '1h',
  }))
  api.wrong = (_, response) => response.writeHead(500).end()
  await refresh()
  t.match(await find('ada'), { id: '3' })
  t.equal(await find('bob'), 'disabled')
  t.equal(await find('eve'), 'DirectoryUnavailable', 'she may have been added')
  t.ok((timers.pauses()[0] ?? 0) <= 1000, 'tried again soon')
  await refresh()
  t.equal(warnings().length, 1, 'said once')
  t.match(warnings()[0]?.error, /answered 500 instead of 200$/)
  clock.move(3_600_000)
  t.equal(await find('ada'), 'DirectoryUnavailable')
  t.match(
    await directory.knownState('ada@example.com'),
    { found: { id: '3' } },
    'for live sessions the last word stays',
  )
  api.wrong = undefined
  await refresh()
  t.match(await find('ada'), { id: '3' })
  t.equal(await find('eve'), 'unknown')
  t.match(lines.at(-1), { msg: 'agents source readable again' })
})

t.test('before the first copy nobody is found, and nothing is known of live sessions', async t => {
  const opened = await open(t, team(), api => {
    api.wrong = (_, response) => response.destroy()
    return {}
  })
  t.equal(await opened.find('ada'), 'DirectoryUnavailable')
  t.equal(await opened.directory.knownState('ada@example.com'), undefined)
  opened.api.wrong = undefined
  await opened.refresh()
  t.match(await opened.find('ada'), { id: '3' })
})

const nonsense: Record<string, { says: RegExp; answer(response: ServerResponse): void }> = {
  'no JSON': { says: /^page 1: invalid JSON$/, answer: response => response.end('{"_embedded":') },
  'a page': { says: /^page 1: invalid JSON$/, answer: response => response.end('<html>Log in</html>') },
  'no list': { says: /^page 1: there is no list at \/_embedded\/entries/, answer: response => response.end('{}') },
  'an empty list': {
    says: /^the list names no agent: ignored/,
    answer: response => response.end('{"_embedded":{"entries":[]}}'),
  },
  'a redirect': {
    says: /redirects are not followed/,
    answer: response => response.writeHead(302, { location: '/x' }).end(),
  },
  'another origin': {
    says: /^page 1: the next page is at another origin$/,
    answer: response => response.end('{"_embedded":{"entries":[]},"_links":{"next":{"href":"https://evil.example/"}}}'),
  },
  'a loop': {
    says: /^page 1: the next page is one that was read already$/,
    answer: response => response.end('{"_embedded":{"entries":[]},"_links":{"next":{"href":"/api/v2/users"}}}'),
  },
  'a next that is no URL': {
    says: /^page 1: the value at next is not a URL$/,
    answer: response => response.end('{"_embedded":{"entries":[]},"_links":{"next":{"href":7}}}'),
  },
  'brackets without end': { says: /^page 1: /, answer: response => response.end('['.repeat(1_000_000)) },
  'an answer that breaks off': {
    says: /no connection/,
    answer: response => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"_embedded"')
      setImmediate(() => response.destroy())
    },
  },
}
for (const [name, { says, answer }] of Object.entries(nonsense)) {
  t.test(`Attack, or an accident: ${name} changes nothing, and is logged`, async t => {
    const { api, find, refresh, warnings, changed } = await open(t, team())
    api.wrong = (_, response) => answer(response)
    await refresh()
    t.match(warnings()[0]?.error, says)
    t.match(await find('ada'), { id: '3' })
    t.same(changed, [])
  })
}

t.test('Attack: a list whose pages never end is given up', async t => {
  const { api, refresh, warnings, clock } = await open(t, team())
  let page = 0
  api.wrong = (_, response) => {
    clock.move(1000)
    response.end(`{"_embedded":{"entries":[]},"_links":{"next":{"href":"?page=${page++}"}}}`)
  }
  await refresh()
  t.match(warnings()[0]?.error, /^page \d+: the list takes too long$/)
})

t.test('the token goes to the API, and nowhere else', async t => {
  const evil = await startHttpServer((_, response) => response.end())
  t.teardown(evil.close)
  const { api, refresh, lines } = await open(t, team(), () => ({ headers: { Authorization: { env: 'TOKEN' } } }))
  t.equal(api.headers[0]?.authorization, 'a-secret-token')
  t.equal(api.headers[0]?.accept, 'application/json')
  api.wrong = (_, response) => response.writeHead(302, { location: evil.url }).end()
  await refresh()
  api.wrong = (_, response) => response.end(`{"_embedded":{"entries":[]},"_links":{"next":{"href":"${evil.url}/"}}}`)
  await refresh()
  t.same(evil.seen, [])
  t.notMatch(JSON.stringify(lines), 'a-secret-token')
})

t.test('unclear entries take access away, and are named in the log', async t => {
  const odd: [Person, unknown, RegExp?][] = [
    [person('none', { email: undefined }), 'unknown', /page 1, entry 1: has no e-mail address \(\/email\)/],
    [person('list', { email: ['list@example.com'] }), 'unknown', /entry 2: has an invalid e-mail address/],
    [person('crlf', { email: 'crlf@example.com\r\nX: y' }), 'unknown', /entry 3: has an invalid e-mail address/],
    [person('objects', { level: [{ name: 'admin' }] }), 'disabled', /entry 4: has invalid roles/],
    [person('maybe', { available: 'maybe' }), 'disabled', /entry 5: has an invalid state/],
    [person('off0', { available: 0 }), 'disabled'],
    [person('offtext', { available: 'false' }), 'disabled'],
    [person('offnull', { available: null }), 'disabled'],
    [person('offgone', { available: undefined }), 'disabled'],
    [person('on1', { available: '1' }), { roles: ['agent'] }],
    [person('norole', { level: null }), { roles: [] }],
    [person('number', { level: 3 }), { roles: ['3'] }],
    [person('noname', { name: null, id: null }), { email: 'noname@example.com', roles: ['agent'] }],
    [
      person('oddid', { id: {} }),
      { email: 'oddid@example.com', name: 'oddid', roles: ['agent'] },
      /entry 14: has an invalid id: it must be a string or a number/,
    ],
  ]
  const { find, warnings } = await open(
    t,
    odd.map(([one]) => one),
  )
  const names = odd.map(([{ name, email }]) => String(name ?? String(email).split('@')[0]))
  for (const [index, [, expected]] of odd.entries()) {
    const found = await find(names[index] ?? '')
    if (typeof expected === 'string') t.equal(found, expected, names[index] ?? '')
    else t.match(found, expected as object, names[index] ?? '')
  }
  t.notOk(((await find('noname')) as { name?: string }).name)
  const logged = JSON.stringify(warnings())
  for (const [, , says] of odd) if (says) t.match(logged, says)
})

t.test('the same e-mail twice: once if they agree, refused and logged if they do not', async t => {
  const twice = [
    person('ada'),
    person('ADA', { name: 'ada' }),
    person('bob'),
    person('bob', { level: 'admin' }),
    person('cyd'),
  ]
  const { find, warnings } = await open(t, [...twice, person('bob', { available: false })])
  t.match(await find('ada'), { roles: ['agent'] })
  t.equal(await find('bob'), 'disabled')
  t.match(await find('cyd'), { roles: ['agent'] })
  t.match(warnings()[0]?.entries, ['bob@example.com is listed twice with different values; this agent is refused'])
})

t.test(
  'Attack, or an accident: a list that takes the access of more than half is used when three reads in a row agree',
  async t => {
    const { api, find, refresh, warnings, changed, timers } = await open(
      t,
      Array.from({ length: 40 }, (_, i) => person(`agent${i}`)),
    )
    api.people = api.people.slice(0, 12)
    await refresh()
    t.match(await find('agent20'), { roles: ['agent'] })
    t.match(
      warnings()[0]?.error,
      /^the list would remove 28 of 40 agents; not applied until further reads confirm it \(2 to go\)$/,
    )
    t.ok((timers.pauses()[0] ?? 0) > 50_000, 'and those are no hurry')
    await refresh()
    t.match(await find('agent20'), { roles: ['agent'] })
    t.same(changed, [])
    await refresh()
    t.equal(await find('agent20'), 'unknown')
    t.equal(changed[0]?.length, 28)
    api.people = api.people.map(one => ({ ...one, available: false }))
    await refresh()
    t.match(await find('agent1'), { roles: ['agent'] }, 'all of them at once is as drastic')
  },
)

t.test('a list that recovers in time has lost nobody', async t => {
  const { api, find, refresh } = await open(
    t,
    Array.from({ length: 40 }, (_, i) => person(`agent${i}`)),
  )
  const all = api.people
  for (let i = 0; i < 4; i++) {
    api.people = all.slice(0, 5)
    await refresh()
    await refresh()
    api.people = all
    await refresh()
  }
  t.match(await find('agent20'), { roles: ['agent'] })
})

t.test('an entry that moves to a page that was read already is not lost', async t => {
  const { api, find, refresh, changed } = await open(
    t,
    Array.from({ length: 20 }, (_, i) => person(`agent${i}`)),
    api => {
      api.perPage = 10
      return {}
    },
  )
  const all = api.people
  let calls = 0
  api.wrong = (request, response) => {
    // Between page 1 and page 2 the first agent goes, and all others move up by one.
    const people = ++calls === 1 ? all : all.slice(1)
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('page') ?? 1)
    const entries = people.slice((page - 1) * 10, page * 10)
    response.end(JSON.stringify({ _embedded: { entries }, _links: page === 1 ? { next: { href: '?page=2' } } : {} }))
  }
  await refresh()
  t.match(await find('agent10'), { roles: ['agent'] }, 'he stood on no page of the first reading')
  await refresh()
  t.equal(await find('agent0'), 'unknown')
  t.same(changed.flat(), ['agent0@example.com'])
})
