// The gateway's own answer in place of Desk's: asks the generation for it, notes the outcome, sends it. Whatever goes
// wrong on the way becomes a bare 500 without a word about the inside.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Outcome } from '../../ops/metrics.js'
import type { Answer, BearerRefused, Trouble, Visit } from '../context.js'
import { bearerAnswer } from './bearer-answer.js'
import { sendAnswer, sendAnswerOnSocket } from './send.js'

const outcomes: Record<Trouble, Outcome> = {
  bad_request: 'bad_request',
  not_found: 'own',
  challenge: 'unauthorized',
  forbidden: 'forbidden',
  wrong_origin: 'forbidden',
  too_many_headers: 'bad_request',
  too_slow: 'bad_request',
  store_unavailable: 'store_unavailable',
  shed: 'shed',
  desk_unreachable: 'upstream_error',
  desk_timeout: 'upstream_error',
  internal: 'upstream_error',
}

const bare: Answer = { status: 500, headers: ['Content-Type', 'text/plain', 'Cache-Control', 'no-store'], body: '' }

/** Answers a request; when Desk's answer has begun already, the connection is cut. */
export function refuse(trouble: Trouble, request: IncomingMessage, response: ServerResponse, visit: Visit): void {
  const answer = answerTo(trouble, request, visit)
  // What could not be read for sure may have left bytes of another request behind it.
  if (outcomes[trouble] === 'bad_request') response.shouldKeepAlive = false
  try {
    sendAnswer(request, response, answer)
  } catch {
    sendAnswer(request, response, bare)
  }
}

/** The same for a bearer token that opens nothing. */
export function refuseBearer(
  refused: BearerRefused,
  request: IncomingMessage,
  response: ServerResponse,
  visit: Visit,
): void {
  sendAnswer(request, response, toBearer(refused, visit))
}

/** Answers a handshake and closes its socket. The status that was sent. */
export function refuseSocket(trouble: Trouble, request: IncomingMessage, socket: Duplex, visit: Visit): number {
  return sendOnSocket(socket, answerTo(trouble, request, visit))
}

/** The same for a bearer token that opens nothing. */
export function refuseBearerSocket(refused: BearerRefused, socket: Duplex, visit: Visit): number {
  return sendOnSocket(socket, toBearer(refused, visit))
}

function toBearer(refused: BearerRefused, visit: Visit): Answer {
  const answer = bearerAnswer(refused.reason)
  visit.outcome = answer.status === 403 ? 'forbidden' : 'unauthorized'
  refused.tell(visit)
  return answer
}

function sendOnSocket(socket: Duplex, answer: Answer): number {
  try {
    sendAnswerOnSocket(socket, answer)
    return answer.status
  } catch {
    sendAnswerOnSocket(socket, bare)
    return bare.status
  }
}

function answerTo(trouble: Trouble, request: IncomingMessage, visit: Visit): Answer {
  visit.outcome = outcomes[trouble]
  try {
    const answer = visit.generation.answers(trouble, request, visit)
    if (trouble === 'challenge' && answer.status >= 300 && answer.status < 400) visit.outcome = 'redirected'
    return answer
  } catch {
    return bare
  }
}
