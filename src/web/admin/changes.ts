// The changes of the session desk. Each is in the audit log with the operator's address, also one that came too late or
// that the store has not taken yet.

import { canonicalEmail } from '../../core/email.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Session } from '../../core/sessions.js'
import type { AdminDeps } from './sections.js'

/** `kind`: session, agent or link; `of`: its handle, address or id. The guard has checked the token of this change. */
export interface Change {
  kind: string
  of: string
}

export type Outcome = 'ended' | 'gone' | 'queued' | 'revoked'

export interface Done {
  outcome: Outcome
  count: number
}

/** Who asked for it. */
export interface Author {
  operator: Session
  address: string
  request: string
}

export async function applyChange(deps: AdminDeps, change: Change, author: Author): Promise<Done> {
  const { done, ...about } = change.kind === 'link' ? await revokeLink(deps, change) : await end(deps, change, author)
  const { operator, address, request } = author
  deps.audit({
    event: 'session_desk_change',
    why: `${change.kind}: ${done.outcome}`,
    operator: operator.agent.email,
    ...about,
    count: done.count,
    address,
    request,
  })
  return done
}

async function revokeLink({ breakglass }: AdminDeps, { of }: Change) {
  const link = await breakglass.revoke(of)
  const done: Done = { outcome: link ? 'revoked' : 'gone', count: link ? 1 : 0 }
  return { done, link: of, ...(link ? { agent: link.agent } : {}) }
}

async function end({ sessions }: AdminDeps, { kind, of }: Change, { operator }: Author) {
  const email = kind === 'agent' ? canonicalEmail(of) : undefined
  const selector = email === undefined ? { handle: of } : { email }
  const about = email === undefined ? { session: of } : { agent: email }
  const why = `ended in the session desk by ${operator.agent.email}`
  try {
    const { count } = await sessions.endAndConfirm(selector, why, 'ops')
    const done: Done = { outcome: count > 0 ? 'ended' : 'gone', count }
    return { done, ...about }
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    const done: Done = { outcome: 'queued', count: 0 }
    return { done, ...about }
  }
}
