// Sends response data with Fastify, and reads what the gateway's routes need from a request.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ResponseData } from '../context.js'
import type { CookieJar, ResponseCookie } from '../request/cookies.js'

export function replyWith(
  reply: FastifyReply,
  data: ResponseData,
  setCookies: readonly ResponseCookie[] = [],
): FastifyReply {
  for (let i = 0; i + 1 < data.headers.length; i += 2) {
    reply.header(data.headers[i] as string, data.headers[i + 1])
  }
  writeCookies(reply, setCookies)
  // As bytes: to a text Fastify adds a charset, which no JSON type has (RFC 8259 11).
  return reply.code(data.status).send(data.body === '' ? undefined : Buffer.from(data.body))
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser goes on with a GET. */
export function goTo(reply: FastifyReply, location: string, setCookies: readonly ResponseCookie[] = []): FastifyReply {
  return writeCookies(reply, setCookies).code(303).header('location', location).send()
}

export function writeCookies(reply: FastifyReply, setCookies: readonly ResponseCookie[]): FastifyReply {
  for (const { name, value, attributes } of setCookies) {
    if (attributes.maxAge === 0) reply.clearCookie(name, attributes)
    else reply.setCookie(name, value, attributes)
  }
  return reply
}

/** The cookies that came with a request, and the names in use. */
export function jarOf(request: FastifyRequest): CookieJar {
  return { cookies: request.context.snapshot.cookies, header: request.headers.cookie }
}
