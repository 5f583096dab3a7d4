// Every example is on the list, and every link leads somewhere. What the help desks' examples say of us: desks.test.ts.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const folder = join(import.meta.dirname, '../../examples')
const textOf = (path: string) => readFileSync(join(folder, path), 'utf8')
const examples = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())

t.test('every example is on the list, and its links lead somewhere', async t => {
  for (const { name } of examples) t.match(textOf('README.md'), `| [${name}](`)
  const pages = ['.', ...examples.map(({ name }) => name)].filter(at => existsSync(join(folder, at, 'README.md')))
  for (const at of pages) {
    for (const [, target = ''] of textOf(join(at, 'README.md')).matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)) {
      t.ok(existsSync(join(folder, at, target)), `${at}: ${target}`)
    }
  }
})
