// YAML as the configuration reads it: the same values as another parser of YAML 1.2 gives.

import fc from 'fast-check'
import t from 'tap'
import { parseDocument } from 'yaml'
import { readDocument } from '../../src/config/document.js'

const parts = [
  ...['- ', '\n- ', '\n  ', '\n', '\r\n', ' ', '{ ', ' }', '[', ']', ', ', ': ', '# ', ' #', '"', "'", "''", '\\"'],
  ...[
    '&a ',
    '*a',
    '!!str ',
    '| \n  ',
    '>-\n  ',
    '? ',
    '-',
    'yes',
    'Ada',
    "O'Brien",
    'R & D',
    '7',
    '0x1f',
    '0o7',
    '1.5e-3',
  ],
  ...[
    '.5',
    '+1',
    '1_000',
    '08',
    '2020-01-01',
    'null',
    '~',
    '.inf',
    'True',
    'false',
    '<<: ',
    '\u2028',
    '\u00a0',
    'a: b',
  ],
  ...[
    'email: a@example.com',
    '\nname: "a b"',
    "\nid: 'a: b'",
    '\nroles: [a, "b"]',
    '\n- email: b@example.com\n  name: B',
  ],
]

const ours = (text: string) => {
  const { document } = readDocument(text, 'x')
  return document && document.problems.length === 0 ? document.value : undefined
}

const theirs = (text: string) => {
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true })
  if (document.errors.length + document.warnings.length > 0) return undefined
  try {
    return document.toJS({ maxAliasCount: -1 })
  } catch {
    // An alias that is not defined.
    return undefined
  }
}

t.test('any text that both take reads the same', async t => {
  let compared = 0
  const text = fc.array(fc.constantFrom(...parts), { maxLength: 14 }).map(all => all.join(''))
  fc.assert(
    fc.property(text, text => {
      const [one, other] = [ours(text), theirs(text)]
      if (one === undefined || other === undefined) return true
      compared++
      return JSON.stringify(one) === JSON.stringify(other)
    }),
    { numRuns: 5000 },
  )
  t.ok(compared > 200, `${compared} compared`)
})

t.test('bad input: two documents, the first of which is long', async t => {
  const long = '- { email: a@example.com }\n'.repeat(50_000)
  t.match(readDocument(`${long}---\n[]`, 'x').problems, [{ line: 50_001, message: /several documents/ }])
})
