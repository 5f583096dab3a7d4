// ID, name and the attributes for headers of their own: which values count, and what is left out.

import t from 'tap'
import { runChecks } from '../../src/core/checks.js'
import { type PersonMapping, personOf } from '../../src/providers/attributes.js'

type Stated = Record<string, (string | undefined)[]>

async function read(stated: Stated, mapping: PersonMapping) {
  const result = await runChecks(check => personOf(check, name => stated[name], mapping))
  if ('reason' in result) throw new Error('nothing of this refuses a login')
  return { ...result.value, told: result.checks.map(({ seen }) => seen).join(' | ') }
}

t.test('a name may be put together of several attributes', async t => {
  const name = ['first', 'last']
  t.match(await read({ first: ['Ada'], last: ['Lovelace'] }, { name }), { name: 'Ada Lovelace' })
  t.match(await read({ last: [' Lovelace '] }, { name }), { name: 'Lovelace' })
  t.match(
    await read({ first: ['A', 'B'], last: ['Lovelace'] }, { name }),
    { name: 'Lovelace' },
    'of two nobody knows which',
  )
  t.notOk('name' in (await read({ first: [' '], last: [undefined] }, { name })))
  t.match(await read({ first: ['Ada'] }, { name: 'first' }), { name: 'Ada' })
})

t.test('the ID is one value, or none', async t => {
  t.match(await read({ n: ['4711'] }, { id: 'n' }), { id: '4711', told: '4711' })
  for (const [values, why] of [
    [undefined, '0 values'],
    [['1', '2'], '2 values'],
    [[''], 'empty'],
    [[undefined], 'empty'],
    [['\r\n\0'], 'empty'],
    [['x'.repeat(257)], 'too long'],
  ] as const) {
    const found = await read(values === undefined ? {} : { n: [...values] }, { id: 'n' })
    t.notOk('id' in found, why)
    t.match(found.told, why)
  }
})

t.test('attributes by the header that they are for', async t => {
  const headers = { 'X-Agent-Department': 'department', 'X-Agent-Team': 'team' }
  const found = await read({ department: ['Sales & Söhne'], team: ['a', 'b', 'a', ''] }, { headers })
  t.strictSame(found.attributes, { 'X-Agent-Department': ['Sales & Söhne'], 'X-Agent-Team': ['a', 'b'] })
  t.equal(found.told, '2: X-Agent-Department: Sales & Söhne, X-Agent-Team: a, b')
  t.notOk('attributes' in (await read({}, { headers })))
  t.notOk('attributes' in (await read({ department: ['x'] }, {})))
})

t.test('Attack: values that would begin another header, hide themselves or be very long', async t => {
  const of = async (...values: (string | undefined)[]) => {
    const { attributes, told } = await read({ d: values }, { headers: { 'X-D': 'd' } })
    return { values: attributes?.['X-D'], told }
  }
  t.strictSame((await of('Sales\r\nX-Agent-Email: evil@example.com')).values, ['Sales X-Agent-Email: evil@example.com'])
  t.strictSame((await of('a\0b\u0085c\u2028d\u202Ee\ud800f\t\tg')).values, ['a b c d e f g'])
  t.equal((await of('\r\n', '\u200b', undefined)).values, undefined)
  const long = await of('x'.repeat(100 * 1024))
  t.equal(long.values, undefined, 'left out, and never cut')
  t.match(long.told, /X-D: left out, 1 values of 102401 characters: at most 256 each, 1000 together/)
  t.equal((await of('x'.repeat(257))).values, undefined)
  const forty = Array.from({ length: 40 }, (_, i) => `value ${i}`)
  t.strictSame((await of(...forty)).values, forty)
  t.equal((await of(...forty.map(value => value + 'x'.repeat(30)))).values, undefined, 'more than 1000 together')
  t.match((await of('a,b')).values, ['a,b'], 'a comma is escaped where it is written')
})
