// A sample that is compiled, apart from the others: with a cold cache that takes its time.

import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { createSigningCheck } from '../parts/sample-checks.js'

t.test('jwt/sign.go', { skip: missingParts('go') }, async t => {
  const check = await createSigningCheck(t)
  await check(t, { file: 'jwt/sign.go', part: 'go' })
})
