// The names under which sessions lie in the store. Hashes only: a key shows neither a cookie nor an e-mail address.

import { hash } from 'node:crypto'
import type { Handle, Session } from '../core/contracts.js'
import { canonicalEmail } from '../core/email.js'

const form = /^[A-Za-z0-9_-]{43}$/

/** The handle of a session cookie: base64url(SHA-256 of its 43 characters). */
export function handleOf(cookie: string): Handle {
  return hash('sha256', cookie, 'base64url')
}

/** Whether a text can be a handle at all; what an operator or a browser sends need not be. */
export function isHandle(text: string): boolean {
  return form.test(text)
}

/** The key of the activity mark. */
export function markOf(handle: Handle): string {
  return `a:${handle}`
}

/** The index of all sessions. Hashes have 43 characters, so that it is nobody's. */
export const allIndex = 'i:all'

export function emailIndex(email: string): string {
  return `i:${hash('sha256', canonicalEmail(email) ?? email, 'base64url')}`
}

export function nameIdIndex(provider: string, nameId: string): string {
  // Provider IDs hold no NUL (and no control character at all): two pairs never give the same bytes.
  return `n:${hash('sha256', `${provider}\0${nameId}`, 'base64url')}`
}

/** Every index that a session is in. */
export function indexesOf(session: Pick<Session, 'agent' | 'provider' | 'saml'>): string[] {
  const indexes = [allIndex, emailIndex(session.agent.email)]
  return session.saml ? [...indexes, nameIdIndex(session.provider, session.saml.nameId)] : indexes
}
