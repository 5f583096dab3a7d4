// The guides on operating, keys and the audit log are right: their configurations load, and the metrics, settings, events
// and fields that they name are those that there are.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { restartKeys } from '../../src/config/changes.js'
import { newSigningKey } from '../../src/keys/assertion-keys.js'
import { overloadLimits } from '../../src/ops/load-shedding.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { load, longSecret, rsaPair, settings } from '../parts/configuration.js'

const docs = join(import.meta.dirname, '../../docs')
const text = (name: string) => readFileSync(join(docs, name), 'utf8')
const pages = ['operations.md', 'keys.md', 'audit.md'] as const
const [old, next] = [rsaPair(), rsaPair()]

const files = {
  ...{ 'ring-old': longSecret('ring old'), 'ring-new': longSecret('ring new'), token: longSecret('token') },
  ...{ 'portal-old': longSecret('portal old'), 'portal-new': longSecret('portal new') },
  ...{ 'identity-old.key': newSigningKey(), 'identity-new.key': newSigningKey() },
  ...{ 'sp-old.key': old.key, 'sp-old.crt': old.certificate, 'sp-new.key': next.key, 'sp-new.crt': next.certificate },
}

for (const name of pages) {
  t.test(name, async t => {
    const blocks = [...text(name).matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
    t.ok(blocks.length > 0)
    for (const block of blocks) {
      const steps = [block, ...[...block.matchAll(/^# (secrets: .*)$/gm)].map(([, step = '']) => step)]
      for (const step of steps) {
        const result = load(settings(parse(step)), { files })
        t.ok('config' in result, JSON.stringify('config' in result ? '' : result.problems))
        t.strictSame(result.warnings, [])
      }
    }
    for (const [, target = ''] of text(name).matchAll(/\]\(([^)#]+)[^)]*\)/g))
      t.ok(existsSync(join(docs, target)), target)
  })
}

t.test('every metric is in the table, and nothing else', async t => {
  const metrics = createMetrics()
  metrics.addProcess('1.0.0')
  const { body } = await metrics.text()
  const there = [...body.matchAll(/^# TYPE (deskgate_\S+)/gm)].map(([, name]) => name)
  const told = [...text('operations.md').matchAll(/^\| `(deskgate_\w+)`/gm)].map(([, name]) => name)
  t.same(told.sort(), there.sort())
  for (const [, help = ''] of body.matchAll(/^# HELP deskgate_\S+ (.*)$/gm)) t.match(help, /^[A-Z1].{10,}\.$/)
})

t.test('every setting that needs a restart is named', async t => {
  const [, paragraph = ''] = /\*\*A restart is needed\*\*([\s\S]*?)\n\n/.exec(text('operations.md')) ?? []
  for (const key of restartKeys) t.ok(paragraph.includes(`\`${key.replace('sessions.', '')}\``), key)
})

t.test('events and fields are those that are written', async t => {
  const source = readFileSync(join(docs, '../src/ops/audit.ts'), 'utf8')
  const [type = ''] = /export type AuditEvent = \{[\s\S]*?\n\}/.exec(source) ?? []
  const events = [...type.matchAll(/'(\w+)'/g)].map(([, name]) => name)
  const fields = [...type.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)
  const [, eventTable = '', fieldTable = ''] = text('audit.md').split(/^\| --- \| --- \|$/m)
  const rows = (table: string) => [...table.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, names = '']) => names)
  const named = (table: string) => rows(table).flatMap(names => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  t.same(named(eventTable).sort(), events.sort())
  t.same(named(fieldTable).sort(), [...fields, 'audit', 'time'].sort())
})

t.test('the thresholds of overload are those of the code', async t => {
  t.match(text('operations.md'), `${overloadLimits.delay} ms`)
  t.match(text('operations.md'), `${overloadLimits.heap * 100}% of the heap`)
})
