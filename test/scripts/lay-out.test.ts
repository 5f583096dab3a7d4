// What the image keeps of a package: code, package.json and licence, and never a file that a package.json names.

import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { copyPackages, isForAuthors } from '../../scripts/image/lay-out.mjs'

async function lay(folder: string, files: Record<string, string>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

const listed = (folder: string) =>
  (
    readdirSync(folder, { recursive: true, withFileTypes: true }) as {
      isFile(): boolean
      parentPath: string
      name: string
    }[]
  )
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

t.test('code, package.json and licences stay', async t => {
  const from = await lay(join(t.testdir(), 'from'), {
    'a/package.json': '{ "main": "lib/a.js" }',
    'a/LICENSE.md': '',
    'a/README.md': '',
    'a/lib/a.js': '',
    'a/lib/a.js.map': '',
    'a/lib/a.d.ts': '',
    'a/lib/data.json': '',
    'a/lib/test/inner.js': '',
    'a/test/a.js': '',
    'a/docs/a.js': '',
    'a/eslint.config.js': '',
    'a/.github/a.json': '',
    'a/native.node': '',
    'a/node_modules/b/package.json': '{}',
    'a/node_modules/b/index.cjs': '',
    'a/node_modules/b/index.ts': '',
    '@types/a/package.json': '{}',
    '@types/a/index.d.ts': '',
    '@scope/c/package.json': '{ "exports": { ".": { "import": "./test/c.mjs" } } }',
    '@scope/c/test/c.mjs': '',
    '.bin/a': '',
    '.package-lock.json': '{}',
  })
  const to = join(t.testdirName, 'to')
  copyPackages(from, to)
  t.strictSame(listed(to), [
    '@scope/c/package.json',
    '@scope/c/test/c.mjs',
    'a/LICENSE.md',
    'a/lib/a.js',
    'a/lib/data.json',
    'a/lib/test/inner.js',
    'a/native.node',
    'a/node_modules/b/index.cjs',
    'a/node_modules/b/package.json',
    'a/package.json',
  ])
  t.strictSame(readdirSync(to).sort(), ['@scope', 'a'], 'no empty folder')
})

t.test('a folder that package.json names is code, whatever it is called', async t => {
  t.ok(isForAuthors('test', { main: './index.js' }))
  t.notOk(isForAuthors('test', { main: 'test/index.js' }))
  t.notOk(isForAuthors('spec', { exports: { './x': { require: './spec/x.cjs' } } }))
  t.notOk(isForAuthors('examples', { bin: { x: 'examples/x.js' } }))
  t.notOk(isForAuthors('lib', {}))
  t.notOk(isForAuthors('testing', {}), 'not every name that begins so')
})
