// Queues that take turns.

import t from 'tap'
import { createTurns } from '../../src/runtime/turns.js'

const always = () => true

t.test('each queue has its turn, whatever its length', async t => {
  const turns = createTurns<string>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) turns.add(item[0] as string, item)
  t.same(turns.heads(), ['a1', 'b1', 'c1'])
  const taken = Array.from({ length: 7 }, () => turns.next(always))
  t.same(taken, ['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined])
  t.equal(turns.size(), 0)
})

t.test('a queue that may not go on lets the others pass, and keeps its turn', async t => {
  const turns = createTurns<string>()
  for (const item of ['a1', 'b1', 'b2']) turns.add(item[0] as string, item)
  const notA = (item: string) => !item.startsWith('a')
  t.same([turns.next(notA), turns.next(notA), turns.next(notA)], ['b1', 'b2', undefined])
  t.equal(turns.next(always), 'a1')
})

t.test('an item that leaves is not missed', async t => {
  const turns = createTurns<string>()
  for (const item of ['a1', 'a2', 'b1']) turns.add(item[0] as string, item)
  t.equal(turns.remove('a', 'a1'), true)
  t.equal(turns.remove('a', 'a1'), false)
  t.equal(turns.remove('z', 'z1'), false)
  t.equal(turns.size(), 2)
  t.same([turns.next(always), turns.next(always), turns.next(always)], ['a2', 'b1', undefined])
})

t.test('what is due is taken from the head of each queue', async t => {
  const turns = createTurns<number>()
  for (const [key, item] of [
    ['a', 1],
    ['a', 5],
    ['b', 2],
    ['c', 9],
  ] as const)
    turns.add(key, item)
  t.same(
    turns.takeDue(item => item < 5),
    [1, 2],
  )
  t.equal(turns.size(), 2)
  t.same(turns.heads(), [5, 9])
})
