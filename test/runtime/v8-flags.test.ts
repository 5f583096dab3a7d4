import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

const file = new URL('../../src/runtime/tuning.ts', import.meta.url).href

async function node(text: string) {
  return await run(process.execPath, ['--import=tsx', '--expose-gc', '--input-type=module', '--eval', text])
}

t.test('on this Node, V8 knows what it is asked for', async t => {
  // To a flag that it does not know, V8 says so on stderr, and continues.
  const text = `await import('${file}').then(({ applyV8Flags }) => applyV8Flags()); console.log('went on')`
  t.strictSame(await node(text), { stdout: 'went on\n', stderr: '' })
})

t.test("an entry of Node's queue of ticks outlives all collections, for the shape of those to come", async t => {
  const { stdout } = await node(`
    import { createHook } from 'node:async_hooks'
    import { applyV8Flags } from '${file}'
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
    console.log([await kept(() => process.nextTick(() => {})), await kept(applyV8Flags)].join('; '))`)
  t.equal(stdout, '1 made, 0 kept; 1 made, 1 kept\n')
})
