// A sample that is compiled, apart from the others: with a cold cache that takes its time.

import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { createVerifyingCheck } from '../parts/sample-checks.js'

t.test('assertion/verify.go', { skip: missingParts('go') }, async t => {
  const check = await createVerifyingCheck(t)
  await check(t, { file: 'assertion/verify.go', part: 'go' })
})
