// A sample that is compiled, apart from the others: with a cold cache that takes its time.

import t from 'tap'
import { missing } from '../parts/required-parts.js'
import { openVerifying } from '../parts/sample-checks.js'

t.test('assertion/Verify.cs', { skip: missing('dotnet') }, async t => {
  const check = await openVerifying(t)
  await check(t, { file: 'assertion/Verify.cs', part: 'dotnet' })
})
