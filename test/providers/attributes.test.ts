// ID, name and the attributes for headers of their own: which values count, and what is left out. providers[].roles: what a
// provider states becomes Desk's roles, the rest is kept or dropped, and the operator is told.

import t from 'tap'
import type { RoleSettings } from '../../src/config/schema/providers.js'
import { runChecks } from '../../src/core/checks.js'
import { compileRoles, overageHint, type PersonMapping, personOf } from '../../src/providers/attributes.js'

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

const compile = (settings: Partial<RoleSettings> = {}) =>
  compileRoles({ map: {}, default: [], unmapped: 'keep', split: null, ...settings })
const rolesOf = (values: string[] | undefined, settings?: Partial<RoleSettings>) =>
  compile(settings).record(() => {}, values).roles

/** The rows of `explain`, by name. */
async function rows(values: string[] | undefined, settings: Partial<RoleSettings>, overage = false) {
  const { checks } = await runChecks(check => compile(settings).record(check, values, overage).roles)
  t.ok(checks.every(({ ok }) => ok))
  return Object.fromEntries(checks.map(({ name, seen }) => [name, seen]))
}

t.test('without settings every value is a role', async t => {
  t.strictSame(rolesOf(['a', 'b,c', ' d ']), ['a', 'b,c', ' d '])
  t.strictSame(rolesOf(['a', 'b', 'a']), ['a', 'b'])
  t.strictSame(rolesOf([]), [])
  t.equal(rolesOf(undefined), undefined, 'what is not stated is not an empty list')
  t.strictSame(await rows(['a'], {}), {}, 'and there is nothing to tell')
})

t.test('map, unmapped and default', async t => {
  const map = { 'guid-1': 'agent', 'guid-2': 'admin', 'guid-3': 'agent' }
  t.strictSame(rolesOf(['guid-1', 'guid-3', 'x'], { map }), ['agent', 'x'], 'several may become one')
  t.strictSame(rolesOf(['guid-2', 'x', 'admin2'], { map, unmapped: 'drop' }), ['admin'])
  t.strictSame(rolesOf(['x'], { map, unmapped: 'drop' }), [])
  t.strictSame(rolesOf(['x'], { map, unmapped: 'drop', default: ['guest', 'guest'] }), ['guest'])
  t.strictSame(rolesOf([], { default: ['guest'] }), ['guest'])
  t.strictSame(rolesOf(undefined, { default: ['guest'] }), ['guest'])
  t.strictSame(rolesOf(['guid-1'], { map, default: ['guest'] }), ['agent'], 'only where none is left')
  t.strictSame(rolesOf(['agent'], { map, unmapped: 'drop' }), [], 'the target of a map is no key of it')
})

t.test('split cuts one value into several, before the map', async t => {
  t.strictSame(rolesOf(['a;b; c ;;', 'd'], { split: ';' }), ['a', 'b', 'c', 'd'])
  t.strictSame(rolesOf(['agents,support'], { split: ',', map: { support: 'agent' }, unmapped: 'drop' }), ['agent'])
  t.strictSame(rolesOf(['a, b'], { split: ', ' }), ['a', 'b'])
  t.strictSame(rolesOf([';;;'], { split: ';' }), [])
  t.equal(rolesOf([';'.repeat(200_000)], { split: ';' })?.length, 0)
})

t.test('Attack: names of every object, and what differs only by case, are no keys', async t => {
  const map = { 'CN=Support,OU=x': 'agent' }
  for (const value of [
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'cn=support,ou=x',
    'CN=Support,OU=x ',
  ]) {
    t.strictSame(rolesOf([value], { map, unmapped: 'drop' }), [], value)
  }
  const told = await rows(['cn=support,ou=x', 'y'], { map, unmapped: 'drop' })
  t.equal(told['roles dropped'], '2: cn=support,ou=x (the map has CN=Support,OU=x: keys are case-sensitive), y')
  const both = { Lead: 'admin', lead: 'agent' }
  t.strictSame(rolesOf(['Lead'], { map: both }), ['admin'])
  t.strictSame(rolesOf(['lead'], { map: both }), ['agent'])
  t.strictSame(rolesOf(['LEAD'], { map: both, unmapped: 'drop' }), [])
})

t.test('a map with 10,000 entries costs a login no more than a small one', async t => {
  const map = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`group-${i}`, `role-${i % 7}`]))
  const mapping = compile({ map, unmapped: 'drop' })
  const values = Array.from({ length: 200 }, (_, i) => `group-${i * 50}`)
  const began = performance.now()
  for (let i = 0; i < 1000; i++) mapping.record(() => {}, values)
  t.ok(performance.now() - began < 3000)
  t.equal(mapping.record(() => {}, values).roles?.length, 7)
})

t.test('explain: what arrived, what it became, what was dropped', async t => {
  const map = { g1: 'agent' }
  t.strictSame(await rows(['g1', 'g2', 'g3'], { map, unmapped: 'drop' }), {
    'roles that arrived': '3: g1, g2, g3',
    'roles dropped': '2: g2, g3',
    'roles, mapped': '1: agent',
  })
  t.strictSame(await rows(undefined, { default: ['guest'] }), {
    'roles that arrived': 'none stated',
    'roles, by default': '1: guest',
  })
  const many = Array.from({ length: 150 }, (_, i) => `${String(i).padStart(3, '0')}${'x'.repeat(33)}`)
  const told = await rows(many, { map, unmapped: 'drop' })
  t.ok(told['roles dropped']?.endsWith(many.at(-1) ?? '-'), 'as many as Entra sends are told in full')
  const huge = await rows(
    [...many, ...many].map((value, i) => value.repeat(20) + i),
    { map, unmapped: 'drop' },
  )
  t.ok((huge['roles dropped']?.length ?? 0) < 6100, 'and the report stays small')
  t.match(await rows(undefined, {}, true), { 'groups that were left out': overageHint })
})
