// What the tables of attacks are made of: each begins with a response that logs in, changes one thing, and is refused for
// one reason. The keys are fixed and the clock stands still, so that an attack is the same bytes each time.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SamlSettings } from '../../../src/config/schema/providers.js'
import type { Attempt, CallbackRequest } from '../../../src/core/providers.js'
import type { Reason } from '../../../src/core/reasons.js'
import type { SigningKey } from '../../../src/demo/idp-messages.js'
import { createTestClock } from '../../parts/clock.js'
import { attempt, callbackOf, createSamlIdp, type ResponseChange, type SamlIdp } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

let responses = 0

export const clock = createTestClock()
export const folder = join(import.meta.dirname, 'files')
export const signing = keyOf('idp')
export const stranger = keyOf('stranger')
export const idp: SamlIdp = idpOf(signing)

function keyOf(name: string): SigningKey {
  const read = (end: string) => readFileSync(join(folder, `${name}.${end}`), 'utf8')
  return { key: read('key'), certificate: read('crt') }
}

/** An identity provider with that key; the responses of all of them are numbered in one row. */
export function idpOf(signing: SigningKey): SamlIdp {
  return createSamlIdp({ signing, clock, next: () => ++responses })
}

/** The next response is the first again. */
export function restart() {
  responses = 0
}

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
  const sent: CallbackRequest = callbackOf(message ? message() : idp.message(change), attempts ?? [attempt])
  return provider.handleCallback({ ...sent, state: attempt.id })
}
