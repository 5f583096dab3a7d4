// An agents file: who it names, and every mistake in its place.

import t from 'tap'
import { parseAgents } from '../../src/config/agents.js'
import { formatProblem } from '../../src/config/problems.js'

const said = (text: string) => {
  const parsed = parseAgents(text, 'agents.yaml')
  return 'problems' in parsed ? parsed.problems.map(formatProblem) : []
}

t.test('agents are as they are stated, and what is left out is not stated', async t => {
  const text =
    '- { email: Ada@Example.COM, id: "7", name: Ada, roles: [admin], active: true }\n- { email: b@example.com, roles: [], active: false }\n- email: ünï@example.com\n'
  t.same(parseAgents(text, 'agents.yaml'), {
    agents: [
      { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['admin'], active: true },
      { email: 'b@example.com', roles: [], active: false },
      { email: 'ünï@example.com', active: true },
    ],
  })
})

t.test('a file of nobody is a list of nobody', async t => {
  for (const text of ['', '# nobody yet\n', '[]', '---\n'])
    t.same(parseAgents(text, 'agents.yaml'), { agents: [] }, JSON.stringify(text))
})

t.test('every mistake is told in its place', async t => {
  const text = `- email: ada@example.com
  id: 7
- email: "Ada@example.com "
- email: ADA@example.com
- name: Nobody
- { email: b@example.com, active: no, rolls: [agent] }
- { email: c@example.com, roles: agent }
- d@example.com
- email: ada@example.com
  email: e@example.com
- { email: e\u0301@example.com }
`
  t.same(said(text), [
    'agents.yaml:2:3 [0].id: must be a string (put it in quotes)',
    'agents.yaml:3:3 [1].email: invalid e-mail address: nobody can log in with it',
    'agents.yaml:4:3 [2].email: same address as [0]',
    'agents.yaml:5:3 [3].email: is missing',
    'agents.yaml:6:27 [4].active: must be true or false',
    'agents.yaml:6:39 [4].rolls: unknown setting (did you mean roles?)',
    'agents.yaml:7:27 [5].roles: must be a list (put it in [ ])',
    'agents.yaml:8:3 [6]: must be a mapping',
    'agents.yaml:9:3 [7].email: same address as [0]',
    'agents.yaml:10:3 [7].email: duplicate key',
    'agents.yaml:11:5 [8].email: invalid e-mail address: nobody can log in with it',
  ])
})

t.test('what is not a list is not an agents file', async t => {
  t.same(said('email: a@example.com\n'), ['agents.yaml:1:1 (file): must be a list'])
  t.match(said('- {\n'), [/^agents.yaml:2:1 \(yaml\): invalid YAML/])
})

t.test('attack: an address that only looks like another stays another', async t => {
  const text = '- email: ada@example.com\n- email: аda@example.com\n- email: ada@examp1e.com\n'
  const parsed = parseAgents(text, 'agents.yaml')
  t.equal('agents' in parsed ? parsed.agents.length : 0, 3)
  t.same(said('- email: "ada@example.com\\u200b"\n'), [
    'agents.yaml:1:3 [0].email: invalid e-mail address: nobody can log in with it',
  ])
})

t.test('twenty thousand agents are read in seconds', async t => {
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `- { email: a${index}@example.com, id: "${index}", name: Agent, roles: [agent] }`,
  )
  const parsed = parseAgents(lines.join('\n'), 'agents.yaml')
  t.equal('agents' in parsed ? parsed.agents.length : 0, 20_000)
})
