// What a program is told whose bearer token opens nothing (RFC 6750 3): problem+json with the reason, and never a page, a
// redirect or a cookie.

import { type Reason, statusOf } from '../../core/reasons.js'
import type { Answer } from '../context.js'
import { en } from '../pages/i18n/en.js'
import { problemAnswer } from '../pages/layout.js'

/** Seconds after which keys or a directory that were away are worth asking again. */
const retryAfter = 5

/** 401 for a bad token, 403 for a good one of somebody who may not, 503 when it cannot be told. */
export function bearerAnswer(reason: Reason): Answer {
  const known = statusOf(reason)
  const status = known === 503 || known === 403 ? known : 401
  const { title, text } = en.bearer[status]
  const answer = problemAnswer(status, { title, detail: text, reason })
  if (status === 503) answer.headers.push('Retry-After', String(retryAfter))
  else {
    const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
    answer.headers.push('WWW-Authenticate', `Bearer error="${error}", error_description="${reason}"`)
  }
  return answer
}
