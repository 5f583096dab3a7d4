import { inspect } from 'node:util'
import t from 'tap'
import { Refused, runChecks } from '../../src/core/checks.js'
import { hintOf, reasons, statusOf } from '../../src/core/reasons.js'
import { createSecret } from '../../src/core/secret.js'

t.test('each reason has a hint and the status of its kind', async t => {
  for (const reason of reasons) t.match(hintOf(reason), /\.$/, reason)
  t.equal(statusOf('jwt.expired'), 400)
  t.equal(statusOf('jwt.keys_unavailable'), 503)
  t.equal(statusOf('agent.directory_unavailable'), 503)
  t.equal(statusOf('session.store_unavailable'), 503)
  t.equal(statusOf('agent.unknown'), 403)
  t.equal(statusOf('login.rate_limited'), 429)
  t.equal(statusOf('login.other_session'), 409)
  t.equal(statusOf('login.loop'), 400)
})

t.test('a ladder stops at the first check that fails, and keeps what it saw', async t => {
  const climbed = await runChecks(step => {
    step('size', { ok: true, reason: 'saml.malformed', expected: 'at most 9', seen: '3' })
    step('audience', {
      ok: false,
      reason: 'saml.audience_mismatch',
      expected: 'a',
      seen: 'b',
      setting: 'providers[].entityId',
    })
    t.fail('must not be reached')
  })
  t.strictSame(climbed, {
    reason: 'saml.audience_mismatch',
    checks: [
      { name: 'size', ok: true, expected: 'at most 9', seen: '3' },
      { name: 'audience', ok: false, expected: 'a', seen: 'b', setting: 'providers[].entityId' },
    ],
  })
})

t.test('a refusal from deeper down counts, a bug passes through', async t => {
  const refused = await runChecks(() => {
    throw new Refused('saml.metadata_unavailable')
  })
  t.match(refused, { reason: 'saml.metadata_unavailable' })
  await t.rejects(
    runChecks(() => {
      throw new TypeError('bug')
    }),
    { name: 'TypeError' },
  )
})

t.test('a long value is cut', async t => {
  const { checks } = await runChecks(step => step('x', { ok: true, reason: 'saml.malformed', seen: 'y'.repeat(9_999) }))
  t.ok((checks[0]?.seen?.length ?? 0) < 400)
})

t.test('a secret masks itself wherever it is printed', async t => {
  const secret = createSecret('hunter2-hunter2')
  const printed = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }), inspect(secret), String(secret)]
  for (const text of printed) t.notMatch(text, /hunter2/)
  t.equal(secret.reveal(), 'hunter2-hunter2')
})
