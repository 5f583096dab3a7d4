// The samples that sign a token log an agent in at a running gateway, in every language that is installed. Three of them
// are made by libraries that are neither ours nor jose: PyJWT, ruby-jwt, Crypt::JWT.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { createSigningCheck } from '../parts/sample-checks.js'
import type { Sample } from '../parts/sample-programs.js'

const samples: Sample[] = [
  { file: 'jwt/sign.mjs' },
  { file: 'jwt/sign-jose.mjs' },
  { file: 'jwt/sign.py', part: 'python' },
  { file: 'jwt/sign_pyjwt.py', part: 'python' },
  { file: 'jwt/sign.rb', part: 'ruby' },
  { file: 'jwt/sign_ruby_jwt.rb', part: 'ruby' },
  { file: 'jwt/sign.php', part: 'php' },
  { file: 'jwt/sign.pl', part: 'perl' },
  { file: 'jwt/Sign.java', part: 'java' },
  { file: 'jwt/Sign.cs', part: 'mono' },
]

t.test('every sample is here, and is in the guide', async t => {
  const root = join(import.meta.dirname, '../..')
  const files = readdirSync(join(root, 'examples/jwt')).sort()
  t.same(files, [...samples.map(({ file }) => file.slice('jwt/'.length)), 'sign.go'].sort())
  const guide = readFileSync(join(root, 'docs/jwt.md'), 'utf8')
  for (const file of files) t.match(guide, `(../examples/jwt/${file})`)
})

t.test('a token of each logs in, once', async t => {
  const check = await createSigningCheck(t)
  for (const sample of samples) {
    t.test(sample.file, { skip: sample.part ? missingParts(sample.part) : false }, t => check(t, sample))
  }
})
