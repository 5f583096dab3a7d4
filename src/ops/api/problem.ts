// A refusal of the ops API as problem+json (RFC 9457): what is wrong, and what to send instead. Never shows an exception.

import type { FastifyReply } from 'fastify'

/** `detail`: what the operator can do about it. */
export function problem(reply: FastifyReply, status: number, title: string, detail?: string) {
  const body = { status, title, ...(detail === undefined ? {} : { detail }) }
  return reply.code(status).type('application/problem+json').send(body)
}
