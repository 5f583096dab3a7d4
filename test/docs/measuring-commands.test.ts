// The measurements of docs/scaling.md run, with numbers so small that they measure nothing: what is looked at is that each
// ends with its table. The figures and their bounds are for a quiet machine.

import { join } from 'node:path'
import t from 'tap'
import { openGuide } from '../parts/guide.js'
import { openShell } from '../parts/guide-shell.js'
import { missingParts } from '../parts/required-parts.js'

const root = join(import.meta.dirname, '../..')

/** By the script: what is asked for instead, and what the end of its table says. */
const small: Record<string, { options: string; table: RegExp }> = {
  'bench/logins.ts': { options: '--only pool --runs 1 --seconds 1', table: /^pool +median .* ms/m },
  'bench/sessions.ts': { options: '--count 300', table: /^in Redis, indexes included +[\d,]+ bytes a session$/m },
  'bench/revocation.ts': {
    options: '--workers 2 --agents 2 --near-cache 1s',
    table: /^messages lost +closed .* of \d+$/m,
  },
}

t.test('the commands of the page measure', { skip: missingParts('redis-server') }, async t => {
  const guide = openGuide('docs/scaling.md')
  const shell = await openShell(t, {})
  const lines = guide.commandBlock('npx tsx').trim().split('\n')
  t.equal(lines.length, Object.keys(small).length)
  for (const line of lines) {
    const [, script = '', written = ''] = /^npx tsx (\S+) (.*?) *#/.exec(line) ?? []
    const { options, table } = small[script] ?? { options: '', table: /nothing/ }
    const names = (text: string) => [...text.matchAll(/--[a-z-]+/g)].map(([name]) => name)
    for (const name of names(written)) t.ok(names(options).includes(name), `${script} ${name}`)
    const { stdout, stderr } = await shell.run(`cd '${root}'\nnpx tsx ${script} ${options}`)
    t.match(stdout, table, stderr)
  }
  guide.everyBlockRan(t)
})
