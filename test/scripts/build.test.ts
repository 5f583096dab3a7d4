// A build is due when, and only when, something that it is made from has changed; what is shipped is whole.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { copyScripts, fingerprint, isBuilt } from '../../scripts/build.mjs'

t.test('what makes a build necessary', async t => {
  const folder = t.testdir({
    'tsconfig.json': '{}',
    'tsconfig.build.json': '{}',
    'package-lock.json': '{}',
    'README.md': 'x',
    src: { 'main.ts': 'a', inner: { 'one.ts': 'b' } },
  })
  const at = (...path: string[]) => join(folder, ...path)
  t.notOk(isBuilt(folder), 'nothing is there yet')
  const build = () => {
    mkdirSync(at('dist'), { recursive: true })
    writeFileSync(at('dist/main.js'), '')
    writeFileSync(at('dist/.built-from'), fingerprint(folder))
  }
  const due: [string, () => void][] = [
    ['a byte of a source', () => writeFileSync(at('src/inner/one.ts'), 'c')],
    ['a new source', () => writeFileSync(at('src/two.ts'), '')],
    ['another name', () => renameSync(at('src/two.ts'), at('src/three.ts'))],
    ['a source less', () => rmSync(at('src/three.ts'))],
    ['the compiler settings', () => writeFileSync(at('tsconfig.json'), '{ }')],
    ['those of the build', () => writeFileSync(at('tsconfig.build.json'), '{ }')],
    ['the lock file', () => writeFileSync(at('package-lock.json'), '{ }')],
    ['no lock file any more', () => rmSync(at('package-lock.json'))],
    ['a build that was broken off', () => rmSync(at('dist/.built-from'))],
    ['a dist without its entry point', () => rmSync(at('dist/main.js'))],
  ]
  for (const [what, change] of due) {
    build()
    t.ok(isBuilt(folder), `before: ${what}`)
    change()
    t.notOk(isBuilt(folder), what)
  }
  build()
  writeFileSync(at('README.md'), 'y')
  t.ok(isBuilt(folder), 'a text is no source')
})

t.test('a package is built before it is packed, and ships no source map without its source', async t => {
  const read = (path: string) => JSON.parse(readFileSync(join(import.meta.dirname, '../..', path), 'utf8'))
  t.match(read('package.json'), { scripts: { prepack: /build/, start: /--if-changed/ } })
  t.notOk(read('tsconfig.build.json').compilerOptions.sourceMap)
})

t.test('what runs in browsers is copied as it is written, and nothing else of its folder', async t => {
  const folder = t.testdir({
    src: { web: { pages: { browser: { 'a.js': 'a', 'setup.d.ts': '', 'tsconfig.json': '' } } } },
  })
  copyScripts(folder)
  t.same(readdirSync(join(folder, 'dist/web/pages/browser')), ['a.js'])
})
