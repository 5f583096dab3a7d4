// A login under way whose ID the test chooses: sealed with the gateway's own secret, as the gateway would have done.

import type { Clock } from '../../src/core/clock.js'
import { createKeyring } from '../../src/keys/keyring.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createAttempts } from '../../src/web/login/attempts.js'
import { createCookies, serializeCookie } from '../../src/web/request/cookies.js'

export interface SealedAttempt {
  /** 16 bytes, base64url. */
  id: string
  provider: string
  returnTo: string
}

/** The Set-Cookie value. */
export function attemptCookie(
  { id, provider, returnTo }: SealedAttempt,
  gateway: { publicUrl: string; secrets: string[]; clock: Clock },
): string {
  const { publicUrl, secrets, clock } = gateway
  const keyring = createKeyring(secrets, { random: systemRandom })
  const attempts = createAttempts({ keyring, clock, random: () => Buffer.from(id, 'base64url') })
  const cookies = createCookies({ publicUrl, prefix: '/auth' })
  const { attempt, setCookies } = attempts.begin({ cookies, header: undefined }, provider, returnTo)
  const [cookie] = setCookies
  if (attempt.id !== id || cookie === undefined) throw new Error(`${id} is no ID that a gateway makes`)
  return serializeCookie(cookie)
}
