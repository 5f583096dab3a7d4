// A config snapshot lives as long as a request uses it; what two snapshots share is closed with the last of them.

import t from 'tap'
import type { Provider } from '../../src/core/providers.js'
import { createLog } from '../../src/ops/log.js'
import { createSnapshots } from '../../src/server/active-snapshots.js'
import type { ConfigSnapshot } from '../../src/web/context.js'
import { until } from '../parts/wait-until.js'

const log = createLog({ level: 'silent' })

function makers() {
  const closed: string[] = []
  const provider = (id: string) => ({ id, close: () => void closed.push(id) }) as Provider
  const agents = { close: () => void closed.push('directory') }
  const snapshot = (name: string, providers: Provider[], directory: { close?(): void } = agents) =>
    ({ providers, directory, pipeline: { close: async () => void closed.push(name) } }) as unknown as ConfigSnapshot
  return { closed, provider, snapshot }
}

t.test('an old snapshot is closed after its last request, and not before', async t => {
  const { closed, provider, snapshot } = makers()
  const [stays, goes] = [provider('stays'), provider('goes')]
  const [first, second] = [snapshot('first', [stays, goes]), snapshot('second', [stays])]
  const snapshots = createSnapshots({ log })
  t.throws(snapshots.current, 'there is none before the first')
  t.throws(snapshots.acquire)
  snapshots.replace(first)
  const [a, b] = [snapshots.acquire(), snapshots.acquire()]
  snapshots.replace(second)
  t.equal(snapshots.acquire(), second)
  snapshots.release(a)
  t.same([closed, snapshots.openCount()], [[], 2])
  snapshots.release(b)
  await until(() => closed.length === 2)
  t.same([closed, snapshots.openCount()], [['goes', 'first'], 1])
  snapshots.release(second)
  t.same(closed, ['goes', 'first'], 'the current one stays, used or not')
  await snapshots.close()
  t.same(closed, ['goes', 'first', 'stays', 'directory', 'second'], 'the directory with the last that has it')
})

t.test('an unused snapshot is closed at once; a provider that a later one has again stays open', async t => {
  const { closed, provider, snapshot } = makers()
  const shared = provider('shared')
  const [first, second, third] = [snapshot('first', [shared]), snapshot('second', []), snapshot('third', [shared])]
  const snapshots = createSnapshots({ log })
  snapshots.replace(first)
  const busy = snapshots.acquire()
  snapshots.replace(second)
  snapshots.replace(third)
  t.same(closed, ['second'])
  snapshots.release(busy)
  await until(() => closed.includes('first'))
  t.same(closed, ['second', 'first'], 'the third still has it')
})
