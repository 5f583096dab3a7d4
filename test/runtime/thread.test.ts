// A thread for one piece of work: its result, and how it can fail.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { inSlices, runInThread, threadEntry } from '../../src/runtime/thread.js'

const limits = { ms: 30_000, megabytes: 64 }

async function entryOf(t: Test, text: string): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-thread-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'entry.mjs')
  await writeFile(file, `export const run = ${text}\n`)
  return pathToFileURL(file)
}

t.test('a thread gives the result of its input', async t => {
  const entry = await entryOf(t, '({ a, b }) => a + b')
  t.equal(await runInThread(entry, { a: 1, b: 2 }, limits), 3)
})

t.test('what takes too much time or memory would do so again', async t => {
  const endless = await entryOf(t, '() => { for (;;); }')
  await t.rejects(runInThread(endless, {}, { ...limits, ms: 50 }), { tooCostly: true, message: /more than 0.05 s/ })
  const greedy = await entryOf(t, '() => { const all = []; for (;;) all.push(new Array(10_000).fill(all.length)) }')
  await t.rejects(runInThread(greedy, {}, limits), { tooCostly: true, message: /more than 64 MB/ })
})

t.test('what ends without a result may succeed later', async t => {
  const broken = await entryOf(t, '() => { throw new Error("broken") }')
  await t.rejects(runInThread(broken, {}, limits), { tooCostly: false, message: 'broken' })
  const crashing = await entryOf(t, '() => process.exit(3)')
  await t.rejects(runInThread(crashing, {}, limits), { tooCostly: false, message: /exit/ })
})

t.test(
  'a thread can work behind the event loop, whose priority stays',
  { skip: process.platform !== 'linux' },
  async t => {
    const before = getPriority()
    t.equal(
      await runInThread(threadEntry('priority-thread', new URL('../parts/x.ts', import.meta.url).href), {}, limits),
      10,
    )
    t.equal(getPriority(), before)
  },
)

t.test('other work gets its turns between slices', async t => {
  const seen: (number | string)[] = []
  setImmediate(() => seen.push('other'))
  await inSlices([1, 2, 3, 4], item => void seen.push(item), 2)
  t.same(seen, [1, 'other', 2, 3, 4])
})
