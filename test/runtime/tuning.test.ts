// runtime.tuning: with off, V8 is as Node started it; with auto, it is given its flags, and the young are collected in step
// with the bytes that pass.

import { execFile } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { promisify } from 'node:util'
import t from 'tap'
import { createBodyMeter, openGc } from '../../src/runtime/tuning.js'

const run = promisify(execFile)
const folder = new URL('../../src/runtime/', import.meta.url).href

/** What V8 and Node were asked for. */
async function asked(tuning: string): Promise<string[]> {
  const text = `
    import v8 from 'node:v8'
    import { syncBuiltinESMExports } from 'node:module'
    const asked = []
    const set = v8.setFlagsFromString
    v8.setFlagsFromString = flag => (asked.push(flag), set(flag))
    syncBuiltinESMExports()
    const { tuneProcess, createBodyMeter } = await import('${folder}tuning.ts')
    tuneProcess('${tuning}')
    const count = createBodyMeter('${tuning}')
    for (let i = 0; i < 40; i++) count(1024 * 1024)
    console.log(JSON.stringify(asked))`
  const { stdout } = await run(process.execPath, ['--import=tsx', '--input-type=module', '--eval', text])
  return JSON.parse(stdout)
}

t.test('off asks for nothing', async t => t.same(await asked('off'), []))

t.test('auto keeps the process warm and frees buffers early', async t => {
  const flags = await asked('auto')
  t.ok(flags.includes('--semi-space-growth-factor=8'))
  t.same(flags.slice(-2), ['--expose-gc', '--no-expose-gc'])
})

t.test('once for each portion of bytes', async t => {
  let collected = 0
  const spent = createBodyMeter('auto', () => void collected++)
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
  const collect = openGc('minor')
  const told = once(seen, 'seen')
  for (let i = 0; i < 3; i++) collect()
  await told
  observer.disconnect()
  t.ok(kinds.includes(constants.NODE_PERFORMANCE_GC_MINOR))
  t.equal('gc' in globalThis, false)
})

async function node(text: string) {
  return await run(process.execPath, ['--import=tsx', '--expose-gc', '--input-type=module', '--eval', text])
}

t.test('on this Node, V8 knows what it is asked for', async t => {
  // To a flag that it does not know, V8 says so on stderr, and continues.
  const text = `await import('${folder}tuning.ts').then(({ tuneProcess }) => tuneProcess('auto')); console.log('went on')`
  t.strictSame(await node(text), { stdout: 'went on\n', stderr: '' })
})

t.test("an entry of Node's queue of ticks outlives all collections, for the shape of those to come", async t => {
  const { stdout } = await node(`
    import { createHook } from 'node:async_hooks'
    import { tuneProcess } from '${folder}tuning.ts'
    const kept = async act => {
      const entries = []
      const hook = createHook({ init: (id, type, by, it) => type === 'TickObject' && entries.push(new WeakRef(it)) })
      hook.enable()
      act()
      hook.disable()
      // What a reference has been made to is held until the task ends.
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
      gc()
      return entries.length + ' made, ' + entries.filter(entry => entry.deref()).length + ' kept'
    }
    console.log([await kept(() => process.nextTick(() => {})), await kept(() => tuneProcess('auto'))].join('; '))`)
  t.equal(stdout, '1 made, 0 kept; 1 made, 1 kept\n')
})
