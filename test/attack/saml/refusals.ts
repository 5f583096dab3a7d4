// Runs a table of attacks against a provider.

import t from 'tap'
import { type Attack, judge } from './attack.js'

export { type Attack, clock, idp, judge, signing, stranger } from './attack.js'

export function refuse(attacks: Attack[]) {
  t.test('the response that every attack begins with logs in', async t => {
    for (const sign of ['response', 'assertion', 'both'] as const) {
      const { reason, identity } = await judge({ change: { sign } })
      t.equal(reason, undefined)
      t.equal(identity?.email, 'jane@example.com')
    }
  })
  for (const attack of attacks) {
    t.test(`Attack: ${attack.name}`, async t => {
      const verdict = await judge(attack)
      const failed = verdict.checks.filter(({ ok }) => !ok)
      t.strictSame(
        [verdict.reason, failed.map(({ name }) => name)],
        [attack.reason, [attack.check]],
        JSON.stringify(failed),
      )
      t.notOk(verdict.identity)
    })
  }
}
