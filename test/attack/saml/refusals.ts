// Runs a table of attacks: each begins with a response that logs in, changes one thing, and is refused for one reason.

import t from 'tap'
import type { SamlSettings } from '../../../src/config/schema/providers.js'
import type { Attempt, Handover } from '../../../src/core/contracts.js'
import type { Reason } from '../../../src/core/reasons.js'
import { createTestClock } from '../../parts/clock.js'
import {
  attempt,
  createSamlIdp,
  handover,
  newSigningKey,
  type ResponseChange,
  type SamlIdp,
} from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

export const clock = createTestClock()
export const signing = newSigningKey()
export const stranger = newSigningKey('stranger.example.com')
export const idp: SamlIdp = createSamlIdp({ signing, clock })

export interface Attack {
  name: string
  reason: Reason
  /** The named check that must be the one that fails. */
  check: string
  change?: ResponseChange
  /** A whole message instead of a change. */
  message?: () => string
  settings?: Partial<SamlSettings>
  attempts?: Attempt[]
  certificates?: string[]
}

/** The verdict on one attack. */
export async function judge({
  change,
  message,
  settings,
  attempts,
  certificates,
}: Omit<Attack, 'name' | 'reason' | 'check'>) {
  const { provider } = openSaml(samlSettings(certificates ?? [signing.certificate], settings), { clock })
  const sent: Handover = handover(message ? message() : idp.message(change), attempts ?? [attempt])
  return provider.accept({ ...sent, state: attempt.id })
}

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
