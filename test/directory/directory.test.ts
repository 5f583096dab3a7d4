// Who is an agent: the chain of sources, each source, and who wins over the identity provider.

import t from 'tap'
import type { AgentSource } from '../../src/config/schema/agents.js'
import type { Directory, DirectorySource } from '../../src/core/directory.js'
import { DirectoryUnavailable } from '../../src/core/errors.js'
import { createDirectory, mergeIdentity, openDirectory } from '../../src/directory/directory.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createTestClock } from '../parts/clock.js'

const log = createLog({ level: 'silent' })
const clock = createTestClock()
const fetchText = () => Promise.reject(new Error('no call was expected'))
const opened: Directory[] = []
t.teardown(() => {
  for (const directory of opened) directory.close?.()
})

function open(...sources: AgentSource[]): Directory {
  const directory = openDirectory(sources, { log, clock, random: systemRandom, metrics: createMetrics(), fetchText })
  opened.push(directory)
  return directory
}

function file(text: string): AgentSource {
  return { file: { path: 'agents.yaml', text } }
}

const agents = file(`
- { email: ada@example.com, id: "7", name: Ada, roles: [admin, agent] }
- { email: bob@example.com, active: false }
- { email: Cyd@Example.com, roles: [] }
- { email: dee@example.com }
`)

/** A source that counts how often it is asked. */
function counting(answer: () => Awaited<ReturnType<DirectorySource['find']>>) {
  const asked: string[] = []
  const source: DirectorySource = {
    name: 'counting',
    find: async email => {
      asked.push(email)
      return answer()
    },
  }
  return { source, asked }
}

t.test('a record has the fields of the file, and nothing else', async t => {
  const directory = open(agents)
  const ada = { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['admin', 'agent'] }
  t.strictSame(await directory.find('ada@example.com'), ada)
  t.strictSame(await directory.find('cyd@example.com'), { email: 'cyd@example.com', roles: [] })
  t.strictSame(await directory.find('dee@example.com'), { email: 'dee@example.com' })
  t.equal(await directory.find('bob@example.com'), 'disabled')
  t.equal(await directory.find('eve@example.com'), 'unknown')
})

t.test('addresses are compared with A to Z folded, and nothing else', async t => {
  const directory = open(agents, { domains: ['Example.org'] })
  t.match(await directory.find('ADA@EXAMPLE.COM'), { email: 'ada@example.com', id: '7' })
  t.strictSame(await directory.find('x@EXAMPLE.ORG'), { email: 'x@example.org' })
  // Attack: Turkish dotless i, Kelvin sign, Cyrillic a, full-width letters: what Unicode would fold stays different.
  for (const address of ['adа@example.com', 'ada@EXAMPLE.COMı', 'ａda@example.com', 'x@example.orK']) {
    t.equal(await directory.find(address), 'unknown', address)
  }
})

t.test('an invalid address is nobody, even with `any: true`', async t => {
  const directory = open({ any: true })
  t.strictSame(await directory.find('eve@evil.example'), { email: 'eve@evil.example' })
  for (const address of ['', 'eve', 'a@b@c', 'eve@evil.example\r\n', 'e\u0301@x.y', '<a@b.c>', '@', 'a b@c.d']) {
    t.equal(await directory.find(address), 'unknown', JSON.stringify(address))
  }
})

t.test('Attack: property names of every object are not agents', async t => {
  const directory = open(file('[]'))
  for (const address of ['__proto__@x.y', 'constructor@x.y', 'toString@x.y']) {
    t.equal(await directory.find(address), 'unknown', address)
  }
})

t.test('domains match exactly', async t => {
  const directory = open({ domains: ['example.com', 'localhost'] })
  t.strictSame(await directory.find('a@example.com'), { email: 'a@example.com' })
  t.strictSame(await directory.find('a@localhost'), { email: 'a@localhost' })
  const others = ['a.example.com', 'notexample.com', 'example.com.', 'example.com.evil.org', 'com', 'exаmple.com']
  for (const domain of others) t.equal(await directory.find(`a@${domain}`), 'unknown', domain)
  t.equal(await directory.find('a@example.com@evil.org'), 'unknown')
})

t.test('the first source that knows the e-mail ends the search', async t => {
  const second = counting(() => ({ email: 'ada@example.com', name: 'Impostor' }))
  const first = counting(() => ({ email: 'ada@example.com', name: 'Ada' }))
  t.match(await createDirectory([first.source, second.source]).find('ada@example.com'), { name: 'Ada' })
  t.strictSame(second.asked, [])
})

t.test('an agent who is inactive in one source is not found in a later one', async t => {
  t.equal(await open(agents, { domains: ['example.com'] }, { any: true }).find('bob@example.com'), 'disabled')
  t.match(await open({ any: true }, agents).find('bob@example.com'), { email: 'bob@example.com' }, 'the order counts')
})

t.test('an agent whom one source does not know is looked for in the next', async t => {
  const directory = open(agents, { domains: ['example.com'] })
  t.strictSame(await directory.find('new@example.com'), { email: 'new@example.com' })
  t.equal(await directory.find('new@example.org'), 'unknown')
})

t.test('Attack: a source that cannot answer is not skipped', async t => {
  const later = counting(() => ({ email: 'ada@example.com' }))
  for (const error of [new DirectoryUnavailable('timed out'), new TypeError('a bug')]) {
    const broken: DirectorySource = { name: 'http x', find: () => Promise.reject(error) }
    const directory = createDirectory([broken, later.source])
    await t.rejects(directory.find('ada@example.com'), { name: 'DirectoryUnavailable', message: /^http x: / })
  }
  t.strictSame(later.asked, [])
})

t.test('a source behind one that knows the e-mail is not needed', async t => {
  const broken: DirectorySource = { name: 'http x', find: () => Promise.reject(new Error('down')) }
  const first = counting(() => ({ email: 'ada@example.com' }))
  t.match(await createDirectory([first.source, broken]).find('ada@example.com'), { email: 'ada@example.com' })
})

t.test('the agent has the address that was asked for', async t => {
  const other = counting(() => ({ email: 'root@example.com' }))
  t.match(await createDirectory([other.source]).find('Ada@example.com'), { email: 'ada@example.com' })
  t.strictSame(other.asked, ['ada@example.com'])
})

t.test('a directory without sources knows nobody', async t => {
  t.equal(await open().find('ada@example.com'), 'unknown')
})

t.test('an invalid file is refused', async t => {
  t.throws(() => open(file('- { email: a@b.c }\n- { email: A@b.c }')), { message: /^agents\.yaml:2/ })
  t.throws(() => open(file('- { email: a@b.c, rolls: [] }')), { message: /^agents\.yaml:1/ })
  t.throws(() => open(file('- { name: A }')), { message: /^agents\.yaml:1/ })
})

t.test('a change to an answer does not change the directory', async t => {
  const directory = open(agents)
  const found = await directory.find('ada@example.com')
  if (typeof found === 'object') found.roles?.push('root')
  t.match(await directory.find('ada@example.com'), { roles: ['admin', 'agent'] })
  t.equal(((await directory.find('ada@example.com')) as { roles: string[] }).roles.length, 2)
})

t.test('values of the directory replace the claims of the identity provider', async t => {
  const identity = { name: 'From IdP', roles: ['root'] }
  const found = { email: 'a@b.c', id: '7', name: 'Ada', roles: ['agent'] }
  t.strictSame(mergeIdentity(found, identity), { email: 'a@b.c', id: '7', name: 'Ada', roles: ['agent'] })
})

t.test('Attack: an empty list of roles in the directory is not filled by the IdP', async t => {
  t.strictSame(mergeIdentity({ email: 'a@b.c', roles: [] }, { roles: ['root'] }), { email: 'a@b.c', roles: [] })
})

t.test('claims of the identity provider count where the directory has no value', async t => {
  const agent = mergeIdentity({ email: 'a@b.c' }, { name: 'From IdP', roles: ['agent'] })
  t.strictSame(agent, { email: 'a@b.c', name: 'From IdP', roles: ['agent'] })
  t.strictSame(mergeIdentity({ email: 'a@b.c' }, {}), { email: 'a@b.c', roles: [] })
})
