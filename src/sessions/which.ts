// Which sessions are meant: the index that leads to them, and whether a record is one of them.

import type { Handle, Which } from '../core/contracts.js'
import { allIndex, emailIndex, nameIdIndex } from './keys.js'
import type { Recorded } from './records.js'

/** Several sessions, to be found through an index. */
export type Many = Exclude<Which, { handle: Handle }>

export function isOne(which: Which): which is { handle: Handle } {
  return which !== 'all' && 'handle' in which
}

export function indexOf(which: Many): string {
  if (which === 'all') return allIndex
  return 'email' in which ? emailIndex(which.email) : nameIdIndex(which.provider, which.nameId)
}

/** Attack: an index can be written by whoever can write to the store; the record, which cannot, has the last word. */
export function matches(which: Many, record: Recorded): boolean {
  if (which === 'all') return true
  if ('email' in which) return emailIndex(record.agent.email) === emailIndex(which.email)
  const { provider, nameId, sessionIndex } = which
  if (record.provider !== provider || record.saml?.nameId !== nameId) return false
  return sessionIndex === undefined || record.saml.sessionIndex === sessionIndex
}
