// The manual of the commands is what the program says, its examples are commands that there are, and everybody who reads
// --help learns how a command ends.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandsPage, helpOf, leaves } from '../../scripts/commands-page.js'
import { createProgram } from '../../src/cli/program.js'

const page = readFileSync(join(import.meta.dirname, '../../docs/commands.md'), 'utf8')
const io = { env: {}, out: () => {}, err: () => {} }

/** The program with commands that do nothing. */
function quiet() {
  const program = createProgram({ io, version: '1', done: () => {} })
  for (const { command } of leaves(program)) {
    command.action(() => {}).configureOutput({ writeErr: () => {} })
  }
  return program
}

t.test('the page is up to date: npm run generate', async t => {
  t.equal(page, commandsPage())
})

t.test('every command has an example that works, says how it ends, and fits into a terminal', async t => {
  for (const { name, command } of leaves(quiet())) {
    const help = helpOf(command)
    const examples = [...help.matchAll(/^ {2}\$ (?:\(umask 077; )?deskgate (.*?)(?: > \S+)?$/gm)]
    t.ok(examples.length > 0, `${name} has an example`)
    t.match(help, /Exit code: 0 [\s\S]*?\b1 [\s\S]*?\b2 usage\s+error/, name)
    for (const line of help.split('\n')) t.ok(line.length <= 80, line)
    for (const [, line = ''] of examples) {
      t.ok(`deskgate ${line}`.startsWith(name), line)
      await t.resolves(quiet().parseAsync(wordsOf(line), { from: 'user' }), line)
    }
  }
  await t.rejects(quiet().parseAsync(['check', '--of-line'], { from: 'user' }), 'what is misspelt does not pass here')
})

t.test('a port that is none is a usage error', async t => {
  for (const port of ['abc', '65536', '-1', '']) {
    await t.rejects(quiet().parseAsync(['demo', '--port', port], { from: 'user' }), {
      code: 'commander.invalidArgument',
    })
  }
})

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
}
