// A rehearsal as `deskgate doctor` goes through it, step by step, with a token that a test can change.

import { randomBytes } from 'node:crypto'
import type { RehearsalAnswer } from '../../src/ops/api/rehearsal.js'
import { signed } from './tokens.js'
import { createUserAgent, type Page, type RequestOptions, type UserAgent } from './user-agent.js'

export const adminToken = 'an-admin-token-of-some-length-0123456789'

/** A call of the ops API. */
export async function callOps(opsUrl: string, method: string, path: string, token: string | undefined = adminToken) {
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(opsUrl + path, { method, headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

export async function openRehearsal(opsUrl: string): Promise<RehearsalAnswer> {
  const { status, body } = await callOps(opsUrl, 'POST', '/api/rehearsal')
  if (status !== 201) throw new Error(`no rehearsal: ${status} ${JSON.stringify(body)}`)
  return body as RehearsalAnswer
}

export const pathOf = (url: string) => url.slice(new URL(url).origin.length)

/** A browser that has begun the login; the state that it was given. */
export async function beginLogin(
  rehearsal: RehearsalAnswer,
  port: number,
): Promise<{ agent: UserAgent; state: string }> {
  const agent = createUserAgent(rehearsal.publicUrl, { port })
  const page = await agent.visit(pathOf(rehearsal.login))
  return { agent, state: page.location === '' ? '' : (new URL(page.location).searchParams.get('state') ?? '') }
}

export function tokenFor(
  { id, secret, agent, publicUrl, now }: RehearsalAnswer,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const jti = randomBytes(8).toString('hex')
  const claims = { iss: id, aud: publicUrl, email: agent, iat: Math.floor(now / 1000), jti, ...changes }
  return signed(claims, { key: new TextEncoder().encode(secret) })
}

/** A browser with the session of the rehearsal. */
export async function rehearse(rehearsal: RehearsalAnswer, port: number): Promise<{ agent: UserAgent; page: Page }> {
  const { agent, state } = await beginLogin(rehearsal, port)
  const page = await agent.postCrossSite(pathOf(rehearsal.callback), { jwt: await tokenFor(rehearsal), state })
  return { agent, page }
}

/** What the session sees at its own path. */
export async function echoOf(agent: UserAgent, { echo }: RehearsalAnswer, asked: RequestOptions = {}) {
  const page = await agent.fetch(pathOf(echo), asked)
  return { status: page.status, body: page.status === 200 ? JSON.parse(page.body) : page.body }
}
