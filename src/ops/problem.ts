// Error responses of the ops listener as problem+json (RFC 9457): what is wrong, and what to send instead. It never shows an
// exception.

import type { FastifyReply } from 'fastify'

/** `members`: `detail` (what the operator can do about it), or other members. */
export function problem(reply: FastifyReply, status: number, title: string, members: Record<string, unknown> = {}) {
  // As bytes: Fastify adds a charset to texts, but JSON types have none (RFC 8259 11).
  const body = Buffer.from(JSON.stringify({ status, title, ...members }))
  return reply.code(status).type('application/problem+json').send(body)
}
