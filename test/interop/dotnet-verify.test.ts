// A sample that is compiled, apart from the others: with a cold cache that takes its time.

import t from 'tap'
import { missingParts } from '../parts/required-parts.js'
import { createVerifyingCheck } from '../parts/sample-checks.js'

t.test('assertion/Verify.cs', { skip: missingParts('dotnet') }, async t => {
  const check = await createVerifyingCheck(t)
  await check(t, { file: 'assertion/Verify.cs', part: 'dotnet' })
})
