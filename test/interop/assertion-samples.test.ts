// The samples that verify Desk's assertion against /auth/jwks.json: each takes a real one and refuses every forged, old or
// foreign one, in every language that is installed.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { createVerifyingCheck } from '../parts/sample-checks.js'
import type { Sample } from '../parts/sample-programs.js'

const samples: Sample[] = [
  { file: 'assertion/verify.mjs' },
  { file: 'assertion/verify.py', part: 'python' },
  { file: 'assertion/verify.rb', part: 'ruby' },
  { file: 'assertion/verify.php', part: 'php' },
  { file: 'assertion/Verify.java', part: 'java' },
]

t.test('every sample is here, and is in the guide', async t => {
  const root = join(import.meta.dirname, '../..')
  const files = readdirSync(join(root, 'examples/assertion')).sort()
  t.same(files, [...samples.map(({ file }) => file.slice('assertion/'.length)), 'verify.go', 'Verify.cs'].sort())
  const guide = readFileSync(join(root, 'docs/assertion.md'), 'utf8')
  for (const file of files) t.match(guide, `(../examples/assertion/${file})`)
})

t.test('each takes a real assertion and no other', async t => {
  const check = await createVerifyingCheck(t)
  for (const sample of samples) {
    t.test(sample.file, { skip: sample.part ? missingParts(sample.part) : false }, t => check(t, sample))
  }
})
