// A refusal of the ops listener as problem+json (RFC 9457): what is wrong, and what to send instead. Never shows an exception.

import type { FastifyReply } from 'fastify'

/** `members`: `detail`, what the operator can do about it, or lists of their own. */
export function problem(reply: FastifyReply, status: number, title: string, members: Record<string, unknown> = {}) {
  // As bytes: to a text Fastify adds a charset, which no JSON type has (RFC 8259 11).
  const body = Buffer.from(JSON.stringify({ status, title, ...members }))
  return reply.code(status).type('application/problem+json').send(body)
}
