// npm test -- WORD installs what the chosen tests need, and no more.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { neededParts } from '../../scripts/needed-parts.mjs'
import { parts } from '../../scripts/parts.mjs'

const root = join(import.meta.dirname, '../..')
const needs = (...files: string[]) => neededParts(files).map(({ name }) => name)

t.test('what some tests need', async t => {
  t.same(needs('test/core/checks.test.ts'), [])
  t.same(needs('test/web/pages/pages.test.ts', 'test/config/load.test.ts'), [])
  t.same(needs('test/cli/commands/sessions.test.ts'), [])
  t.ok(needs('test/store/redis/reconnect.test.ts').includes('redis-server'))
  t.ok(needs('test/helm/render.test.ts').includes('helm'))
  const browser = needs('test/web/pages/pages-browser.test.ts')
  t.ok(browser.includes('chromium') && !browser.includes('helm') && !browser.includes('php'), browser.join())
  const samples = needs('test/interop/assertion-samples.test.ts')
  for (const name of ['python', 'ruby', 'php', 'java'] as const) t.ok(samples.includes(name), name)
  t.ok(needs('test/interop/go-verify.test.ts').includes('go'))
  const simple = needs('test/interop/simplesamlphp.test.ts')
  for (const name of ['php', 'simplesamlphp'] as const) t.ok(simple.includes(name), name)
  t.same(needs('test/none.test.ts'), [])
})

t.test('every part that a test asks for is among those that it needs', async t => {
  const names = new Set<string>(parts.map(({ name }) => name))
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  for (const file of files.filter(name => name.endsWith('.test.ts'))) {
    const text = readFileSync(join(root, 'test', file), 'utf8')
    const asked = [...text.matchAll(/missingParts\(([^)]*)\)/g)].flatMap(([, list = '']) =>
      [...list.matchAll(/'([^']+)'/g)].map(([, name = '']) => (name === 'redis' ? 'redis-server' : name)),
    )
    const found = new Set<string>(needs(join('test', file)))
    for (const name of asked.filter(one => names.has(one))) t.ok(found.has(name), `${file}: ${name}`)
  }
})
