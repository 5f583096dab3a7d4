// Desk's own login as a way in: Desk itself says who is behind its cookie. Believes only a whole JSON answer of Desk with
// one e-mail address in it; which cookie Desk may be asked about is decided elsewhere.

import type { LoginSettings } from '../config/schema/login.js'
import { climb, type Step } from '../core/checks.js'
import type { Identity, Leave, Verdict } from '../core/contracts.js'
import { canonicalEmail } from '../core/email.js'
import { pointAt } from '../core/json-pointer.js'

/** What Desk answered, or why there is no answer. */
export type DeskAnswer = { status: number; body: Buffer } | { failure: string }

export interface DeskLogin {
  readonly id: 'desk'
  /** Where Desk's own login page is. */
  begin(): Leave
  /**
   * Asks Desk, once, who is logged in with its cookie.
   * @param ask sends a GET to the path with these headers
   * @param cookie the value, which Desk set in this browser a moment ago
   * @param claim what must not be used twice, as in Identity
   */
  identify(asked: {
    ask(path: string, headers: readonly string[]): Promise<DeskAnswer>
    cookie: string
    claim: Identity['claim']
  }): Promise<Verdict | 'nobody'>
}

export const deskId = 'desk'
const setting = 'login.alsoAllowDeskAuthentication'

/** The page of Desk's login to send an agent to: the first path that can be visited; undefined when none can. */
export function loginPageOf(paths: readonly string[]): string | undefined {
  const visited = paths.find(path => path.startsWith('/') || path.startsWith('GET /'))
  return visited?.replace(/^GET /, '').replace(/\*$/, '')
}

export function createDeskLogin(settings: LoginSettings): DeskLogin {
  const { paths, whoami, cookie: name } = settings
  return {
    id: deskId,
    begin: () => ({ redirect: loginPageOf(paths) ?? '/' }),
    async identify({ ask, cookie, claim }) {
      const headers = ['Accept', 'application/json', 'Accept-Encoding', 'identity', 'Cookie', `${name}=${cookie}`]
      const answer = await ask(whoami, headers)
      if ('status' in answer && isNobody(answer.status)) return 'nobody'
      const climbed = await climb(step => emailOf(step, answer, settings))
      const base = { provider: deskId, checks: climbed.checks, unsolicited: false }
      if ('reason' in climbed) return { ...base, reason: climbed.reason }
      return { ...base, identity: { provider: deskId, email: climbed.value, claim } }
    },
  }
}

/** Desk says that nobody is logged in, or sends to its login page: what was posted was a wrong password, say. */
function isNobody(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400)
}

function emailOf(step: Step, answer: DeskAnswer, { whoami, email: pointer }: LoginSettings): string {
  step('Desk says who is logged in', {
    ok: 'status' in answer && answer.status === 200,
    reason: 'agent.directory_unavailable',
    expected: `HTTP 200 from ${whoami}`,
    seen: 'status' in answer ? `HTTP ${answer.status}` : answer.failure,
    setting: `${setting}.whoami`,
  })
  const document = 'body' in answer ? parse(answer.body) : undefined
  step('its answer is JSON', {
    ok: document !== undefined,
    reason: 'agent.directory_unavailable',
    expected: 'JSON in UTF-8',
    seen: document === undefined ? 'something else' : 'JSON',
    setting: `${setting}.whoami`,
  })
  const value = pointAt(document, pointer)
  const email = canonicalEmail(value)
  step('its answer names an e-mail address', {
    ok: email !== undefined,
    reason: 'agent.unknown',
    expected: `one e-mail address at ${pointer}`,
    seen: email ?? kindOf(value),
    setting: `${setting}.email`,
  })
  return email as string
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}

/** Of what is no address only its kind is told: nobody knows what Desk may have put there. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing there'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'string' ? 'a text that is no e-mail address' : `a value of type ${typeof value}`
}
