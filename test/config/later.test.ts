// What is not built yet is refused, so that nobody believes in it; its default, written out, is not.

import t from 'tap'
import { laterKeys } from '../../src/config/later.js'
import { said, settings } from '../parts/configuration.js'

type Settings = Record<string, unknown>

/** By key: something to ask for, and the default written out. */
const rows: Record<string, { asked: Settings; at?: string; usual?: Settings }> = {
  'ops.probes': { asked: settings({ ops: { probes: '0.0.0.0:9091' } }), usual: settings({ ops: { probes: null } }) },
  'limits.logins': {
    asked: settings({ limits: { logins: '5/m' } }),
    usual: settings({ limits: { logins: '60/m' } }),
  },
}

t.test('every key of the table is tried', async t => {
  t.same([...laterKeys].sort(), Object.keys(rows).sort())
})

for (const [key, { asked, usual, at = key.replace('[]', '[0]') }] of Object.entries(rows)) {
  t.test(`${key} is refused, and its default is not`, async t => {
    const found = said(asked, { files: { 'a.crt': '' } })
    t.ok(found.includes(`${at}: is not supported yet`), found.join('\n'))
    if (usual) t.same(said(usual), [])
  })
}
