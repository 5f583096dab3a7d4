// Desk's own login as a login method: Desk itself says whose cookie it is. Accepts only a complete JSON response of Desk
// with one e-mail address in it; which cookie Desk may be asked about is decided elsewhere.

import type { LoginSettings } from '../config/schema/login.js'
import { type RecordCheck, runChecks } from '../core/checks.js'
import { canonicalEmail } from '../core/email.js'
import type { Identity } from '../core/identity.js'
import { pointAt } from '../core/json-pointer.js'
import type { Navigation, Verdict } from '../core/providers.js'

/** Desk's response, or why there is none. */
export type WhoamiResponse = { status: number; body: Buffer } | { failure: string }

export interface DeskLogin {
  readonly id: 'desk'
  /** Where Desk's own login page is. */
  begin(): Navigation
  /**
   * Asks Desk, once, who is logged in with its cookie.
   * @param ask sends a GET to the path with these headers
   * @param cookie the value, which Desk set in this browser a moment ago
   * @param replayKey as in Identity
   */
  identify(asked: {
    ask(path: string, headers: readonly string[]): Promise<WhoamiResponse>
    cookie: string
    replayKey: Identity['replayKey']
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
    async identify({ ask, cookie, replayKey }) {
      const headers = ['Accept', 'application/json', 'Accept-Encoding', 'identity', 'Cookie', `${name}=${cookie}`]
      const answer = await ask(whoami, headers)
      if ('status' in answer && isLoggedOut(answer.status)) return 'nobody'
      const result = await runChecks(check => emailOf(check, answer, settings))
      const base = { provider: deskId, checks: result.checks, unsolicited: false }
      if ('reason' in result) return { ...base, reason: result.reason }
      return { ...base, identity: { provider: deskId, email: result.value, replayKey } }
    },
  }
}

/** Desk says that nobody is logged in, or sends to its login page: what was posted was a wrong password, say. */
function isLoggedOut(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400)
}

function emailOf(check: RecordCheck, answer: WhoamiResponse, { whoami, email: pointer }: LoginSettings): string {
  check('Desk says who is logged in', {
    ok: 'status' in answer && answer.status === 200,
    reason: 'agent.directory_unavailable',
    expected: `HTTP 200 from ${whoami}`,
    seen: 'status' in answer ? `HTTP ${answer.status}` : answer.failure,
    setting: `${setting}.whoami`,
  })
  const document = 'body' in answer ? parse(answer.body) : undefined
  check('its answer is JSON', {
    ok: document !== undefined,
    reason: 'agent.directory_unavailable',
    expected: 'JSON in UTF-8',
    seen: document === undefined ? 'something else' : 'JSON',
    setting: `${setting}.whoami`,
  })
  const value = pointAt(document, pointer)
  const email = canonicalEmail(value)
  check('its answer names an e-mail address', {
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

/** A value that is not an address is shown by its kind only: it may be anything of Desk's. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing there'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'string' ? 'a string that is not an e-mail address' : `a value of type ${typeof value}`
}
