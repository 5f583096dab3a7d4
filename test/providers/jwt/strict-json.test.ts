// JSON that can be read in one way only: as strict as JSON.parse, and stricter where a name comes twice.

import fc from 'fast-check'
import t from 'tap'
import { getOwn, parseObject } from '../../../src/providers/jwt/strict-json.js'

/** JSON text of a value, with odd spacing and some characters of its strings escaped that need not be. */
const spelled = (value: unknown, seed: number): string =>
  JSON.stringify(value, null, seed % 3).replace(/[a-z]/g, (letter, at: number) => {
    const inString = (seed + at) % 5 === 0 && !/true|false|null|\de/.test(JSON.stringify(value))
    return inString ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter
  })

const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 })

t.test('whatever JSON.stringify writes is read as it was meant', async t => {
  fc.assert(
    fc.property(object, fc.nat(), (value, seed) => {
      const text = spelled(value, seed)
      t.strictSame(JSON.stringify(parseObject(text)), JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 500 },
  )
})

t.test('whatever JSON.parse refuses is refused, and nothing is read differently', async t => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '"a"',
    '"b"',
    '1',
    ' ',
    '\\"',
    'null',
    '\n',
    'é',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), pieces => {
      const text = pieces.join('')
      const read = parseObject(text)
      if (read !== undefined) t.equal(JSON.stringify(read), JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 5000 },
  )
})

t.test('a name that comes twice is found at any place and in any spelling', async t => {
  fc.assert(
    fc.property(object, fc.string(), fc.jsonValue({ maxDepth: 2 }), fc.nat(), (value, name, other, seed) => {
      const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`)
      const escaped = [...JSON.stringify(name).slice(1, -1)].join('')
      const units = Array.from({ length: name.length }, (_, index) => name.charCodeAt(index))
      const twin = `"${units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`
      members.splice(seed % (members.length + 1), 0, `"${escaped}":${JSON.stringify(other)}`)
      members.splice((seed >> 8) % (members.length + 1), 0, `${twin} : 1`)
      const text = `{${members.join(',')}}`
      JSON.parse(text)
      t.equal(parseObject(text), undefined)
      t.equal(parseObject(`{"outer":[${text}]}`), undefined)
    }),
    { numRuns: 500 },
  )
})

t.test('equal names in different objects are fine', async t => {
  t.ok(parseObject('{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"c":"a"}'))
})

t.test('an open string of thousands of quotes costs no time', async t => {
  const started = process.hrtime.bigint()
  t.equal(parseObject(`{"x":"${'\\"'.repeat(200_000)}`), undefined)
  t.equal(parseObject(`{"x":"${'\\'.repeat(400_000)}`), undefined)
  t.ok(Number(process.hrtime.bigint() - started) < 1e9)
})

t.test('inherited members are none', async t => {
  const read = parseObject('{"__proto__":{"email":"x"},"own":1}') ?? {}
  t.equal(getOwn(read, 'email'), undefined)
  t.equal(getOwn(read, 'toString'), undefined)
  t.equal(getOwn(read, 'own'), 1)
})
