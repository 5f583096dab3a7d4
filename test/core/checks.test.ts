import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import t from 'tap'
import { Refused, runChecks } from '../../src/core/checks.js'
import { hintOf, reasons, settingOf, statusOf } from '../../src/core/reasons.js'
import { createSecret } from '../../src/core/secret.js'

/** As the contract says them; every other reason answers 400. */
const otherStatuses: Record<number, string[]> = {
  403: ['agent.unknown', 'agent.disabled', 'agent.forbidden'],
  409: ['login.other_session', 'login.step_up_other_agent'],
  429: ['login.rate_limited'],
  503: [
    'jwt.keys_unavailable',
    'saml.metadata_unavailable',
    'agent.directory_unavailable',
    'login.busy_unavailable',
    'session.store_unavailable',
  ],
}

t.test('each reason has a hint, and the status that the table states for it', async t => {
  for (const reason of reasons) {
    t.match(hintOf(reason), /\.$/, reason)
    const listed = Object.entries(otherStatuses).find(([, codes]) => codes.includes(reason))
    t.equal(statusOf(reason), Number(listed?.[0] ?? 400), reason)
  }
})

t.test('the setting of a reason is one of the configuration', async t => {
  const reference = readFileSync(new URL('../../config/reference.yaml', import.meta.url), 'utf8')
  const settings = reasons.flatMap(reason => settingOf(reason) ?? [])
  t.ok(settings.length > 20)
  for (const setting of settings) {
    const [top = '', last = ''] = [setting.split(/[.[]/)[0], setting.split('.').at(-1)]
    t.match(reference, new RegExp(`^${top}:`, 'm'), setting)
    t.match(reference, new RegExp(`\\b${last}:`), setting)
  }
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
