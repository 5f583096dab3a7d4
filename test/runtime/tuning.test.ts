// runtime.tuning: with off, V8 is as Node started it; with auto, it is given its flags, and collects bodies early.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

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
