// Sends response data with Fastify, and reads what the gateway's routes need from a request.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ResponseData } from '../context.js'
import type { CookieJar } from '../request/cookies.js'

/** @param setCookies whole Set-Cookie values */
export function replyWith(reply: FastifyReply, data: ResponseData, setCookies: readonly string[] = []): FastifyReply {
  for (let i = 0; i + 1 < data.headers.length; i += 2) {
    reply.header(data.headers[i] as string, data.headers[i + 1])
  }
  for (const line of setCookies) reply.header('set-cookie', line)
  // As bytes: to a text Fastify adds a charset, which no JSON type has (RFC 8259 11).
  return reply.code(data.status).send(data.body === '' ? undefined : Buffer.from(data.body))
}

/** 303 (RFC 9110 15.4.4): whatever came before, the browser goes on with a GET. */
export function goTo(reply: FastifyReply, location: string, setCookies: readonly string[] = []): FastifyReply {
  for (const line of setCookies) reply.header('set-cookie', line)
  return reply.code(303).header('location', location).send()
}

/** The cookies that came with a request, and the names in use. */
export function jarOf(request: FastifyRequest): CookieJar {
  return { cookies: request.context.snapshot.cookies, header: request.headers.cookie }
}
