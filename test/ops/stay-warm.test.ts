import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

t.test('on this Node, V8 knows what it is asked for', async t => {
  const file = new URL('../../src/ops/stay-warm.ts', import.meta.url).href
  const text = `await import('${file}').then(({ stayWarm }) => stayWarm()); console.log('went on')`
  // To a flag that it does not know, V8 says so on stderr, and goes on.
  const args = ['--import=tsx', '--input-type=module', '--eval', text]
  t.strictSame(await run(process.execPath, args), { stdout: 'went on\n', stderr: '' })
})
