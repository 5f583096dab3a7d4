// The store keys and indexes of sessions, and which sessions a selector means. Keys hold hashes only: they show neither
// a cookie nor an e-mail address.

import { hash } from 'node:crypto'
import { canonicalEmail } from '../core/email.js'
import type { Handle, Session, SessionSelector } from '../core/sessions.js'
import type { SessionRecord } from './records.js'

const handleForm = /^[A-Za-z0-9_-]{43}$/

/** The handle of a session cookie: base64url(SHA-256 of its 43 characters). */
export function handleOf(cookie: string): Handle {
  return hash('sha256', cookie, 'base64url')
}

/** Whether a text has the form of a handle. Operators and browsers may send anything. */
export function isHandle(text: string): boolean {
  return handleForm.test(text)
}

export function activityKey(handle: Handle): string {
  return `a:${handle}`
}

/** The index of all sessions. It cannot clash with another index: hashes have 43 characters. */
export const allIndex = 'i:all'

/** Where a moved session is now: the next handle. It grants nothing. */
export function movedKey(handle: Handle): string {
  return `m:${handle}`
}

export function emailIndex(email: string): string {
  return `i:${hash('sha256', canonicalEmail(email) ?? email, 'base64url')}`
}

export function nameIdIndex(provider: string, nameId: string): string {
  // Provider IDs hold no control characters: two different pairs never give the same bytes.
  return `n:${hash('sha256', `${provider}\0${nameId}`, 'base64url')}`
}

export function indexesOf(session: Named & Pick<Session, 'agent' | 'provider'>): string[] {
  const names = new Set(namesOf(session).map(({ nameId }) => nameIdIndex(session.provider, nameId)))
  return [allIndex, emailIndex(session.agent.email), ...names]
}

type Named = { [name in 'saml' | 'externalId' | 'earlier']?: Session[name] | undefined }

/** What its provider calls the agent of a session, and has called it before a step-up. */
export function namesOf({ saml, externalId, earlier = [] }: Named): NonNullable<Session['earlier']> {
  if (saml) return [saml, ...earlier]
  return externalId === undefined ? earlier : [{ nameId: externalId }, ...earlier]
}

/** Selects several sessions, which are found through an index. */
export type GroupSelector = Exclude<SessionSelector, { handle: Handle }>

export function isSingle(selector: SessionSelector): selector is { handle: Handle } {
  return selector !== 'all' && 'handle' in selector
}

export function indexFor(selector: GroupSelector): string {
  if (selector === 'all' || 'providers' in selector) return allIndex
  return 'email' in selector ? emailIndex(selector.email) : nameIdIndex(selector.provider, selector.nameId)
}

/** Attack: anyone who can write to the store can change an index, but not a record: the record decides. */
export function matches(selector: GroupSelector, record: SessionRecord): boolean {
  if (selector === 'all') return true
  if ('providers' in selector) return selector.providers.includes(record.provider)
  if ('email' in selector) {
    if (selector.provider !== undefined && record.provider !== selector.provider) return false
    return emailIndex(record.agent.email) === emailIndex(selector.email)
  }
  const { provider, nameId, sessionIndex } = selector
  if (record.provider !== provider) return false
  return namesOf(record).some(
    one => one.nameId === nameId && (sessionIndex === undefined || one.sessionIndex === sessionIndex),
  )
}
