// A sample that is compiled, apart from the others: with a cold cache that takes its time.

import t from 'tap'
import { missing } from '../parts/required-parts.js'
import { openSigning } from '../parts/sample-checks.js'

t.test('jwt/sign.go', { skip: missing('go') }, async t => {
  const check = await openSigning(t)
  await check(t, { file: 'jwt/sign.go', part: 'go' })
})
