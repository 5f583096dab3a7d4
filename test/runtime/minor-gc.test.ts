// The young are collected in step with the bytes that pass.

import { EventEmitter, once } from 'node:events'
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import t from 'tap'
import { createMinorGcTrigger, openMinorGc } from '../../src/runtime/tuning.js'

t.test('once for each portion of bytes', async t => {
  let collected = 0
  const spent = createMinorGcTrigger(() => void collected++)
  for (let chunk = 0; chunk < 1023; chunk++) spent(16 * 1024)
  t.equal(collected, 0)
  spent(16 * 1024)
  t.equal(collected, 1, 'after 16 MB')
  for (let chunk = 0; chunk < 1024; chunk++) spent(16 * 1024)
  t.equal(collected, 2)
})

t.test('this Node collects the young alone, and nobody else is given the function', async t => {
  const kinds: unknown[] = []
  const seen = new EventEmitter()
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries())
      kinds.push((entry as PerformanceEntry & { detail?: { kind: number } }).detail?.kind)
    seen.emit('seen')
  })
  observer.observe({ entryTypes: ['gc'] })
  const collect = openMinorGc()
  const told = once(seen, 'seen')
  for (let i = 0; i < 3; i++) collect()
  await told
  observer.disconnect()
  t.ok(kinds.includes(constants.NODE_PERFORMANCE_GC_MINOR))
  t.equal('gc' in globalThis, false)
})
