// The quick way through an agents file gives what the YAML parser and the schema give for the whole text, or nothing.

import fc from 'fast-check'
import t from 'tap'
import { parseAgents, parseAnyAgents, parsePlainAgents } from '../../src/config/agents.js'

const same = (text: string) => {
  const plain = parsePlainAgents(text)
  return { plain, whole: parseAnyAgents(text, 'agents.yaml') }
}

t.test('plain lists go the quick way, and give the same', async t => {
  const lists = {
    flow: '- { email: Ada@Example.COM, id: "7", name: Ada, roles: [admin], active: true }\n- { email: b@example.com }\n',
    block:
      '- email: ada@example.com\n  id: "7"\n  roles:\n    - admin\n    - agent\n- email: b@example.com\n  active: false\n',
    'beginning on the next line': '-\n  email: ada@example.com\n-\n  email: b@example.com\n',
    JSON: '- {"email": "ada@example.com", "name": "Ada \\u00e9"}\n- {"email": "b@example.com", "name": "B"}\n',
    'Windows line ends': '- email: ada@example.com\r\n  name: Ada\r\n- email: b@example.com\r\n  name: Ben\r\n',
    'a document start': '# agents\n---\n- email: ada@example.com\n- email: b@example.com\n',
    comments:
      '# all\n\n- email: ada@example.com # the "first\n  name: Ada\n\n# - email: c@example.com\n- email: b@example.com\n',
    'a comment that looks like two lines': '# no\u2028- { email: x@example.com }\n- { email: ada@example.com }\n',
    'other letters':
      "- { email: ünï@example.com, name: O'Brien & Söhne (Köln) }\n- { email: 1@example.com, name: 'É, \"B\": #1' }\n",
    'words that are no texts elsewhere':
      '- { email: a@example.com, name: "yes", roles: ["7", "null"] }\n- { email: b@example.com, name: no }\n',
    'a name that is decided alone':
      "- { email: a@example.com, name: 'O''Brien' }\n- email: b@example.com\n  name: >-\n    B\n    C\n",
    'no line end at the end': '- email: a@example.com\n- email: b@example.com',
  }
  for (const [name, text] of Object.entries(lists)) {
    const { plain, whole } = same(text)
    t.ok(plain, name)
    t.same(plain, whole, name)
  }
})

t.test('attack: what reads otherwise alone than in its place is left to the parser', async t => {
  const lists = {
    'two documents': '- email: a@example.com\n---\n- email: b@example.com\n',
    'a document end': '- email: a@example.com\n...\n- email: b@example.com\n',
    'a version': '%YAML 1.1\n---\n- { email: a@example.com, active: yes }\n',
    'text over lines': '- { email: a@example.com, name: "A\n- b" }\n- { email: b@example.com }\n',
    'an alias': '- { email: &a a@example.com }\n- { email: b@example.com, name: *a }\n',
    'an alias in one entry': '- { email: &a a@example.com, name: *a }\n',
    'a mapping before it': 'agents:\n- email: a@example.com\n- email: b@example.com\n',
    indented: ' - email: a@example.com\n- email: b@example.com\n',
    'a mark': '- { email: a@example.com, name: \u0001 }\n',
    'a lone carriage return': '# all\r- email: x@example.com\n- email: a@example.com\n',
    'one address twice': '- email: a@example.com\n- email: A@example.com\n',
    'a number': '- { email: a@example.com, id: 7 }\n',
    'a hidden letter': '- { email: a@example.com, name: "A\\u0007" }\n',
    nobody: '[]',
  }
  for (const [name, text] of Object.entries(lists)) {
    t.equal(parsePlainAgents(text), undefined, name)
    t.same(parseAgents(text, 'agents.yaml'), parseAnyAgents(text, 'agents.yaml'), name)
  }
})

t.test('attack: any text reads the same both ways', async () => {
  const parts = [
    ...[
      '- ',
      '\n- ',
      '\n-\n  ',
      '\n  ',
      '\n',
      '\r\n',
      '\r',
      ' ',
      '\t',
      '{ ',
      ' }',
      '[',
      ']',
      ', ',
      ': ',
      ':',
      '# ',
      ' #',
    ],
    ...[
      '"',
      "'",
      "''",
      '\\',
      '\\"',
      '&a ',
      '*a',
      '!!str ',
      '---\n',
      '...\n',
      '%YAML 1.1\n',
      '| ',
      '>-\n   ',
      '? ',
      '@',
      '-',
    ],
    ...[
      'email: ',
      'email: a@example.com',
      'b@example.com',
      'name: ',
      'id: "7"',
      'roles: [a, b]',
      'active: true',
      'yes',
    ],
    ...[
      'Ada',
      "O'Brien",
      'R & D',
      '7',
      '0x1f',
      '1e5',
      '.5',
      'null',
      '~',
      '\u2028',
      '\u00a0',
      '\u0085',
      '\u0001',
      '"x": "y"',
    ],
    ...['- { email: c@example.com, name: ', '- email: d@example.com\n  name: ', 'name: "a b"', "name: 'a: b'", ' }\n'],
  ]
  const whole = fc.constantFrom(
    '- { email: e@example.com, name: E }\n',
    '- email: f@example.com\n',
    '# all\n',
    '---\n',
    '',
  )
  const text = fc
    .tuple(whole, fc.array(fc.constantFrom(...parts), { maxLength: 14 }), whole)
    .map(all => all.flat().join(''))
  fc.assert(
    fc.property(text, list => {
      const { plain, whole } = same(list)
      return plain === undefined || JSON.stringify(plain) === JSON.stringify(whole)
    }),
    { numRuns: 4000 },
  )
})
