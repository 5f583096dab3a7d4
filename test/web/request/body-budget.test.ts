// The memory of unfinished forms: bounded together and for each network, and the one that waits longest gives way.

import t from 'tap'
import { createBodyBudget } from '../../../src/web/request/body-budget.js'

const limit = 1000

function open() {
  const budget = createBodyBudget()
  const gone: string[] = []
  let count = 0
  const begin = (network: string, name = `${network}${count++}`) => ({
    name,
    ...budget.open(network, limit, () => void gone.push(name)),
  })
  return { budget, gone, begin }
}

t.test('one network holds a quarter, and its oldest form gives way to its newest', t => {
  const { budget, gone, begin } = open()
  const bodies = [begin('a'), begin('a'), begin('a')]
  t.strictSame(
    bodies.map(body => body.hold(100)),
    [true, true, true],
  )
  t.strictSame(gone, ['a0'])
  t.equal(budget.held(), 200)
  t.equal(bodies[2]?.hold(250), true, 'grows')
  t.strictSame(gone, ['a0', 'a1'])
  t.equal(begin('a').hold(251), false, 'more than its share never fits, and costs nobody else anything')
  t.end()
})

t.test('the oldest that asks for more than there is gives way itself', t => {
  const { gone, begin } = open()
  const [first, second] = [begin('a'), begin('a')]
  first.hold(200)
  second.hold(50)
  t.equal(first.hold(240), false)
  t.strictSame(gone, [])
  first.close()
  t.equal(second.hold(250), true)
  t.end()
})

t.test('when all is used up the network with the most gives way', t => {
  const { budget, gone, begin } = open()
  for (const network of ['a', 'b', 'c', 'd']) begin(network).hold(network === 'c' ? 250 : 249)
  t.equal(begin('agent').hold(10), true)
  t.strictSame(gone, ['c2'])
  t.equal(budget.held(), 757)
  t.end()
})

t.test('what is over is free again, however often it is said', t => {
  const { budget, gone, begin } = open()
  const one = begin('a')
  one.hold(250)
  one.close()
  one.close()
  t.equal(budget.held(), 0)
  const other = begin('a')
  t.equal(other.hold(250), true)
  other.hold(100)
  t.equal(budget.held(), 100, 'less than before')
  t.strictSame(gone, [])
  t.end()
})

t.test('a form that held nothing yet is left alone', t => {
  const { gone, begin } = open()
  begin('a')
  begin('a').hold(200)
  t.equal(begin('a').hold(100), true)
  t.strictSame(gone, ['a1'])
  t.end()
})

t.test('ten thousand forms at once stay within the limit', t => {
  const { budget, gone, begin } = open()
  for (let index = 0; index < 10_000; index++) {
    begin(`net${index % 7}`).hold(1 + (index % 200))
    if (budget.held() > limit) t.fail('over the limit')
  }
  t.ok(gone.length > 9_000)
  t.end()
})
