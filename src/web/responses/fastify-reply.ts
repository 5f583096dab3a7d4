// Hands an answer that is data to Fastify, and reads what every route of ours needs of a request.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer } from '../context.js'
import type { Jar } from '../request/cookies.js'

/** Sends an answer; `setCookies` are whole Set-Cookie values. */
export function replyWith(reply: FastifyReply, answer: Answer, setCookies: readonly string[] = []): FastifyReply {
  for (let i = 0; i + 1 < answer.headers.length; i += 2) {
    reply.header(answer.headers[i] as string, answer.headers[i + 1])
  }
  for (const line of setCookies) reply.header('set-cookie', line)
  // As bytes: to a text Fastify adds a charset, which no JSON type has (RFC 8259 11).
  return reply.code(answer.status).send(answer.body === '' ? undefined : Buffer.from(answer.body))
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser goes on with a GET. */
export function goTo(reply: FastifyReply, location: string, setCookies: readonly string[] = []): FastifyReply {
  for (const line of setCookies) reply.header('set-cookie', line)
  return reply.code(303).header('location', location).send()
}

/** The cookies that came with a request, and the names in use. */
export function jarOf(request: FastifyRequest): Jar {
  return { cookies: request.visit.generation.cookies, header: request.headers.cookie }
}
