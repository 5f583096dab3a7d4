// The checks of recent refused logins, kept for a day in the store under the reference that the agent sees, so that an
// operator can ask any replica. A dossier holds checks, never what was checked.

import type { Check } from '../core/checks.js'
import type { Clock, Random, Store } from '../core/contracts.js'
import type { Reason } from '../core/reasons.js'
import type { Log } from './log.js'

export interface Dossier {
  reference: string
  /** Milliseconds since the epoch. */
  at: number
  provider: string | undefined
  reason: Reason
  checks: Check[]
  address: string
  browser: string
  /** What was refused, where it is not a login. */
  of?: 'logout'
  /** For the operator, where the reason's own hint is about something else. */
  hint?: string
}

export interface Dossiers {
  /** A reference at once; the dossier is written behind it. Never throws. */
  keep(dossier: Omit<Dossier, 'reference' | 'at'>): string
  /** Undefined when there is none, or it is older than a day. Throws StoreUnavailable. */
  find(reference: string): Promise<Dossier | undefined>
}

const day = 86_400_000
/** At most this many dossiers are written in a minute by one process: refused logins cost an attacker nothing. */
const perMinute = 120
/** No 0, O, 1, I, L, U: read out over the phone. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ'
const shape = /^[2-9A-Z]{5}-[2-9A-Z]{5}$/

export function createDossiers(deps: { store: Store; clock: Clock; random: Random; log: Log }): Dossiers {
  let minute = 0
  let written = 0

  const mayWrite = (now: number) => {
    const current = Math.floor(now / 60_000)
    if (current !== minute) [minute, written] = [current, 0]
    return written++ < perMinute
  }

  return {
    keep(dossier) {
      const reference = newReference(deps.random)
      const at = deps.clock.now()
      if (!mayWrite(at)) return reference
      const value = Buffer.from(JSON.stringify({ reference, at, ...dossier }))
      deps.store.set(keyOf(reference), value, day).catch((error: Error) => {
        deps.log.warn(
          { reference, reason: dossier.reason, error: error.message },
          'the checks of a refused login could not be kept',
        )
      })
      return reference
    },
    async find(reference) {
      const read = reference.trim().toUpperCase()
      if (!shape.test(read)) return undefined
      const value = await deps.store.get(keyOf(read))
      if (!value) return undefined
      const dossier = parse(value)
      return dossier && deps.clock.now() - dossier.at < day ? dossier : undefined
    },
  }
}

/** What is no dossier of ours (somebody wrote into the store) is none. */
function parse(value: Buffer): Dossier | undefined {
  try {
    const read: unknown = JSON.parse(value.toString())
    return typeof read === 'object' && read !== null && 'checks' in read ? (read as Dossier) : undefined
  } catch {
    return undefined
  }
}

function keyOf(reference: string): string {
  return `d:${reference}`
}

/** Ten characters in two groups: 49 bits, enough that nobody guesses another's. */
function newReference(random: Random): string {
  let letters = ''
  while (letters.length < 10) {
    for (const byte of random(16)) {
      // 240 is the largest multiple of the alphabet's 30 characters: no character is likelier than another.
      if (byte < 240 && letters.length < 10) letters += alphabet[byte % alphabet.length]
    }
  }
  return `${letters.slice(0, 5)}-${letters.slice(5)}`
}
