// Text that is not a configuration, or means harm: it ends, soon, with problems that have a place, and never with an error.

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import t from 'tap'
import { describeConfig } from '../../scripts/config-reference.js'
import { parseAgents } from '../../src/config/agents.js'
import { formatProblem, type Problem } from '../../src/config/problems.js'
import { load, longSecret, problems } from '../parts/configuration.js'

const outside = { files: { 'a.yaml': '- email: a@example.com\n' }, env: { A: longSecret('a') } }

/** Every problem has a place in the text and is one line. */
function sound(found: readonly Problem[], text: string): boolean {
  const lines = text.split('\n').length
  const visible = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+$/u
  return found.every(problem => {
    const { line, column, file } = problem
    const within = line >= 1 && column >= 1 && (file !== 'deskgate.yaml' || line <= lines)
    return within && visible.test(formatProblem(problem))
  })
}

function loadsOrReports(text: string): boolean {
  const result = load(text, outside)
  const found = 'config' in result ? [] : result.problems
  return ('config' in result || found.length > 0) && sound([...found, ...result.warnings], text)
}

const words = [
  ...Object.keys(describeConfig().properties ?? {}),
  'id',
  'type',
  'url',
  'env',
  'file',
  'saml',
  'jwt',
  'headers',
]
const bits = [
  ...words,
  ': ',
  ':',
  '\n',
  '\n  ',
  '- ',
  '[',
  ']',
  '{',
  '}',
  ', ',
  '"',
  "'",
  '&a ',
  '*a',
  '!x ',
  '|\n',
  '>',
  '?',
  '#',
  '\t',
  '%',
  '<<',
  '---\n',
  'null',
  '~',
  '1',
  '.nan',
  '2020-01-01',
  '0x1',
  '\u0000',
  '\ufeff',
  '\u2028',
  '\ud800',
]

t.test('property: any text is judged', async t => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...bits), { maxLength: 60 }).map(parts => parts.join('')),
  )
  t.doesNotThrow(() => fc.assert(fc.property(text, loadsOrReports), { numRuns: 100 }))
})

t.test('property: any values under the known names are judged', async t => {
  const key = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: fc.string() })
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        fc.constantFrom(
          'https://a.example',
          'redis://r',
          'a.yaml',
          '30s',
          'saml',
          'jwt',
          'HS256',
          '/x',
          'memory',
          longSecret('x'),
        ),
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
      ),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }))
  const settings = fc.dictionary(key, value, { maxKeys: 6 })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(settings, object => loadsOrReports(JSON.stringify(object))),
      { numRuns: 100 },
    ),
  )
})

t.test('property: a good configuration with a piece cut out or put in is judged', async t => {
  const good = await readFile(new URL('../../config/examples/full.yaml', import.meta.url), 'utf8')
  const cut = fc.tuple(fc.nat(good.length), fc.nat(30), fc.oneof(fc.constantFrom(...bits), fc.string()))
  const changed = cut.map(([at, length, put]) => good.slice(0, at) + put + good.slice(at + length))
  t.doesNotThrow(() => fc.assert(fc.property(changed, loadsOrReports), { numRuns: 60 }))
})

t.test('property: any agents file is judged', async t => {
  const entry = fc.dictionary(
    fc.constantFrom('email', 'id', 'name', 'roles', 'active', 'x', '__proto__'),
    fc.oneof(fc.string(), fc.emailAddress(), fc.boolean(), fc.array(fc.string(), { maxLength: 2 })),
  )
  const text = fc.oneof(
    fc.array(entry, { maxLength: 4 }).map(list => JSON.stringify(list)),
    fc.array(fc.constantFrom(...bits, 'email', 'a@b.c'), { maxLength: 30 }).map(parts => parts.join('')),
  )
  const ends = (text: string) => {
    const parsed = parseAgents(text, 'deskgate.yaml')
    return 'agents' in parsed
      ? parsed.agents.every(({ email }) => email !== '')
      : parsed.problems.length > 0 && sound(parsed.problems, text)
  }
  t.doesNotThrow(() => fc.assert(fc.property(text, ends), { numRuns: 100 }))
})

const mb = 1024 * 1024
const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[index]}`).join(',')}]`).join('\n')}\n`

const attacks: Record<string, [string, RegExp]> = {
  'a billion laughs': [bomb, /aliases expand to too much data/],
  'an alias of itself': ['site: &a [*a]\n', /site: must be a string|nested too deeply/],
  'a ring of aliases': ['site: &a { b: &b { a: *a, b: *b } }\n', /nested too deeply|expand to too much/],
  'one anchor, twenty thousand aliases': [`site: &a x\nx:\n${' - *a\n'.repeat(20_000)}`, /expand to too much/],
  'a hundred thousand brackets': ['['.repeat(100_000), /nested too deeply/],
  'a hundred thousand dashes': ['- '.repeat(100_000), /nested too deeply/],
  'forty levels': [`${'{ a: '.repeat(40)}1${' }'.repeat(40)}`, /is nested too deeply/],
  'twenty thousand keys': [
    Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n'),
    /has 19\d\d\d more problems/,
  ],
  'one key, ten thousand times': ['site: a\n'.repeat(10_000), /has 9\d\d\d more problems/],
  'ten thousand providers': [`providers:\n${'- {}\n'.repeat(10_000)}`, /more problems/],
  'ten thousand tags': [`providers:\n${'- !x {}\n'.repeat(10_000)}`, /more problems/],
  'a very long name': [`${'k'.repeat(1000)}: 1\nsesions: 1`, /\["k{60}…"\]: unknown setting here/],
  'a very long text': [`publicUrl: "${'https://a.'.repeat(50_000)}"`, /publicUrl: invalid origin/],
  'a very long duration': [`drain: "${'9'.repeat(500_000)}s"`, /drain: invalid duration/],
  'more than 1 MB': [' '.repeat(mb + 1), /^deskgate.yaml:1:1 \(file\): is larger than 1 MB$/],
  'more than 1 MB in fewer characters': ['ä'.repeat(mb / 2 + 1), /is larger than 1 MB/],
  'a thousand documents': ['---\n'.repeat(1000), /several documents/],
}

for (const [name, [text, expected]] of Object.entries(attacks)) {
  t.test(`attack: ${name}`, async t => {
    // Of this process: the wall clock would also tell what else the machine does.
    const start = process.cpuUsage()
    const found = problems(text)
    const { user, system } = process.cpuUsage(start)
    const seconds = (user + system) / 1e6
    t.match(found.join('\n'), expected)
    t.ok(found.length <= 101, `${found.length} problems`)
    t.ok(seconds < 5, `${seconds} s`)
  })
}

t.test('attack: names of the prototype are not settings and no variables', async t => {
  const found = problems(
    'constructor: 1\ntoString: 1\nhasOwnProperty: 1\n__proto__: { publicUrl: "https://a.example" }\nsecrets: [{ env: constructor }]\n',
  )
  for (const name of ['constructor', 'toString', 'hasOwnProperty'])
    t.match(found.join('\n'), `${name}: unknown setting here`)
  t.match(found.join('\n'), 'publicUrl: is missing')
  t.match(found.join('\n'), 'secrets[0]: the variable constructor is not set')
})

t.test('Attack: an invisible character in a name that a problem repeats', async t => {
  t.ok(loadsOrReports('publicUrl: https://desk.example.com\nsecrets: [{ env: \uFEFFNAME }, { file: "a\\u202eb" }]\n'))
})
