// Login by Desk's own login page: a browser that has just logged in there comes to the gateway's login page with a marker
// cookie, Desk is asked once who that is, and the sign-in continues as usual. Never asks Desk without a marker cookie.

import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { whenStoreFails } from '../../core/errors.js'
import type { Attempt, Verdict } from '../../core/providers.js'
import type { Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Log } from '../../ops/log.js'
import type { Attempts } from '../login/attempts.js'
import { createRecentLogins } from '../login/browser-sessions.js'
import { consumeOnce } from '../login/replay-guard.js'
import type { SignedIn, SignIn, SignInRefused } from '../login/sign-in.js'
import { clientInfoOf, isPageNavigation } from '../request/fetch-metadata.js'
import { requestIds } from '../request/trace-context.js'
import { jarOf } from '../responses/send.js'

export interface DeskSignInDeps {
  store: Pick<Store, 'claim'>
  sessions: Pick<Sessions, 'read'>
  attempts: Attempts
  signIn: SignIn
  clock: Clock
  log: Log
}

/** `nobody`: Desk says that nobody is logged in, or the marker was used before. */
export type DeskSignInResult =
  | { kind: 'signed_in'; signedIn: SignedIn; attempt: Attempt | undefined }
  | ({ kind: 'refused' } & SignInRefused)
  | { kind: 'nobody' }

/** For a request to the login page; undefined when it has no marker cookie. */
export type DeskSignIn = (request: FastifyRequest) => Promise<DeskSignInResult | undefined>

export function createDeskSignIn(deps: DeskSignInDeps): DeskSignIn {
  // Tabs share one login: one of them asks Desk, all of them get its session.
  const recent = createRecentLogins<DeskSignInResult>(deps.clock)

  return async request => {
    const { deskLogin } = request.context.snapshot
    const found = deskLogin && isPageNavigation(request.raw) && deskLogin.markerCookies.readMarker(jarOf(request))
    if (!found) return undefined
    const id = createHash('sha256').update(found.mark).digest('base64url')
    const earlier = await recent.get(id)
    if (earlier) return (await isStillValid(deps, earlier)) ? earlier : { kind: 'nobody' }
    const result = askDesk(deps, request, { ...found, id })
    recent.set(id, result)
    result.catch(() => recent.delete(id))
    return result
  }
}

/** Attack: the session was ended since; another tab must not bring it back. */
async function isStillValid({ sessions }: DeskSignInDeps, result: DeskSignInResult): Promise<boolean> {
  if (result.kind !== 'signed_in') return true
  return (await sessions.read(result.signedIn.session.handle)) !== undefined
}

async function askDesk(
  deps: DeskSignInDeps,
  request: FastifyRequest,
  { cookie, until, id }: { cookie: string; until: number; id: string },
): Promise<DeskSignInResult> {
  const { context, headers } = request
  const { deskLogin, pipeline } = context.snapshot
  // Before Desk is asked: a marker is good for one question, on all replicas.
  const first = await consumeOnce(deps, `c:desk-mark:${id}`, until).catch(whenStoreFails('unavailable' as const))
  if (first === 'unavailable') return { kind: 'refused', reason: 'session.store_unavailable', checks: [storeCheck] }
  if (!deskLogin || !first) return { kind: 'nobody' }
  const agent = headers['user-agent']
  const browser = agent === undefined ? [] : ['User-Agent', agent]
  const verdict = await deskLogin.provider.identify({
    ask: (path, wanted) => pipeline.requestDesk(path, [...wanted, ...browser], context),
    cookie,
    replayKey: { id, until },
  })
  if (verdict === 'nobody') {
    deps.log.info({ ...requestIds(context) }, 'Desk reports no login for the cookie that it has just set')
    return { kind: 'nobody' }
  }
  return signInWith(deps, request, verdict, id)
}

async function signInWith(
  deps: DeskSignInDeps,
  request: FastifyRequest,
  deskVerdict: Verdict,
  id: string,
): Promise<DeskSignInResult> {
  const { context, headers } = request
  const jar = jarOf(request)
  // The attempt that began on our login page, if any: it says which page was wanted.
  const attempt = deps.attempts.list(jar).findLast(({ provider, used }) => provider === deskVerdict.provider && !used)
  const verdict: Verdict = { ...deskVerdict, ...(attempt ? { attempt } : {}) }
  const from = clientInfoOf(context, headers)
  const provider = { id: deskVerdict.provider, type: 'desk' as const }
  const result = await deps.signIn({ context, jar, browser: id, from, provider, verdict })
  if ('reason' in result) return { kind: 'refused', ...result }
  return { kind: 'signed_in', signedIn: result.signedIn, attempt }
}

const storeCheck: Check = { name: 'session store answers', ok: false, setting: 'sessions.store' }
