// A generation of settings lives as long as a request keeps it; what two of them share is closed with the last.

import t from 'tap'
import type { Provider } from '../../src/core/contracts.js'
import { createLog } from '../../src/ops/log.js'
import { createGenerations } from '../../src/server/snapshots.js'
import type { Generation } from '../../src/web/context.js'
import { until } from '../parts/wait-until.js'

const log = createLog({ level: 'silent' })

function open() {
  const closed: string[] = []
  const provider = (id: string) => ({ id, close: () => void closed.push(id) }) as Provider
  const agents = { close: () => void closed.push('directory') }
  const generation = (name: string, providers: Provider[], directory: { close?(): void } = agents) =>
    ({ providers, directory, street: { close: async () => void closed.push(name) } }) as unknown as Generation
  return { closed, provider, generation }
}

t.test('an old one is closed after its last request, and not before', async t => {
  const { closed, provider, generation } = open()
  const [stays, goes] = [provider('stays'), provider('goes')]
  const [first, second] = [generation('first', [stays, goes]), generation('second', [stays])]
  const generations = createGenerations(first, { log })
  const [a, b] = [generations.enter(), generations.enter()]
  generations.swap(second)
  t.equal(generations.enter(), second)
  generations.leave(a)
  t.same([closed, generations.open()], [[], 2])
  generations.leave(b)
  await until(() => closed.length === 2)
  t.same([closed, generations.open()], [['goes', 'first'], 1])
  generations.leave(second)
  t.same(closed, ['goes', 'first'], 'the current one stays, used or not')
  await generations.close()
  t.same(closed, ['goes', 'first', 'stays', 'directory', 'second'], 'the directory with the last that has it')
})

t.test('one that nobody uses is closed at once; a provider that comes back is not closed under its users', async t => {
  const { closed, provider, generation } = open()
  const shared = provider('shared')
  const [first, second, third] = [
    generation('first', [shared]),
    generation('second', []),
    generation('third', [shared]),
  ]
  const generations = createGenerations(first, { log })
  const busy = generations.enter()
  generations.swap(second)
  generations.swap(third)
  t.same(closed, ['second'])
  generations.leave(busy)
  await until(() => closed.includes('first'))
  t.same(closed, ['second', 'first'], 'the third still has it')
})
