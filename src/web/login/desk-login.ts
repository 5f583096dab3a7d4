// Login by Desk's own login page. Only a session cookie counts that Desk set in response to a POST of this browser to Desk's
// own login less than a minute ago: a marker tells, a sealed cookie that is bound to the value of Desk's. A browser that comes
// with one to the gateway's login page has Desk asked once who that is, and the sign-in continues as usual. Never asks Desk
// without a marker.

import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { whenStoreFails } from '../../core/errors.js'
import type { Attempt, Verdict } from '../../core/providers.js'
import type { Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Log } from '../../ops/log.js'
import type { MarkerCookies } from '../context.js'
import { type Cookies, serializeCookie } from '../request/cookies.js'
import { clientInfoOf, isFromOurPages, isPageNavigation } from '../request/fetch-metadata.js'
import { compilePathRules } from '../request/paths.js'
import { cookieHeader, readCookies } from '../request/read-cookies.js'
import { requestIds } from '../request/trace-context.js'
import { jarOf } from '../responses/send.js'
import type { Attempts, Sealer } from './attempts.js'
import { createRecentLogins } from './browser-sessions.js'
import { consumeOnce } from './replay-guard.js'
import type { SignedIn, SignIn, SignInRefused } from './sign-in.js'

interface MarkerCookiesDeps {
  /** login.alsoAllowDeskAuthentication */
  settings: { paths: readonly string[]; cookie: string }
  publicUrl: string
  cookies: Cookies
  keyring: Sealer
  clock: Clock
}

/** How long after the POST to Desk's login the gateway accepts it, in milliseconds. */
const markerLifetime = 60_000
/** How long Desk's login page may stay open before it is sent, in milliseconds. */
const formLifetime = 3_600_000
/** Another replica's clock may be ahead by this much, in milliseconds. */
const maxClockSkew = 60_000

const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function createMarkerCookies(deps: MarkerCookiesDeps): MarkerCookies {
  const { settings, publicUrl, cookies, keyring, clock } = deps
  const isLogin = compilePathRules(settings.paths)

  const issue = (name: string, value: string, at: number, lifetime: number) => {
    const plain = Buffer.alloc(6)
    plain.writeUIntBE(at, 0, 6)
    const left = Math.max(1, Math.ceil((at + lifetime - clock.now()) / 1000))
    const sealed = keyring.seal(name, plain, hashOf(value))
    return serializeCookie(cookies.cookie(name, sealed, { maxAge: left, sent: 'same-site' }))
  }
  /** When the only marker of that name was made for this value of Desk's cookie; undefined when none is valid. */
  const madeAt = (name: string, header: string | undefined, value: string, lifetime: number) => {
    // Of two values, one may have been planted: neither counts.
    const sealed = readCookies(header).single(name)
    const plain = sealed === undefined ? undefined : keyring.open(name, sealed, hashOf(value))
    if (sealed === undefined || plain?.length !== 6) return undefined
    const at = plain.readUIntBE(0, 6)
    const age = clock.now() - at
    return age < lifetime && age > -maxClockSkew ? { at, sealed } : undefined
  }
  const posted = (header: string | undefined, value: string) =>
    madeAt(cookies.deskMarker, header, value, markerLifetime)

  return {
    inspect(request, { target }) {
      const method = request.method ?? ''
      if (!isLogin(method, target)) return undefined
      const header = cookieHeader(request)
      const [value, ...more] = cookies.deskValues(header)
      const login = value === undefined ? undefined : posted(header, value)
      const form = value === undefined ? undefined : madeAt(cookies.deskFormMarker, header, value, formLifetime)
      // Attack: an older Desk cookie – left by a logout, or planted by a sibling host – may be logged in already, and Desk
      // may set it anew after any POST. Desk sees only a cookie that it set during this login.
      const known = more.length === 0 && (login ?? form) !== undefined
      // Attack: another site's page posts its own password here, so that the agent works in the attacker's account.
      const asked = safe.has(method) ? 'page' : isFromOurPages(request.headers, publicUrl) ? 'posted' : 'from elsewhere'
      return { cookie: known ? 'passed' : 'withheld', asked, ...(known && login ? { postedAt: login.at } : {}) }
    },
    setCookies(received, { asked, postedAt }) {
      if (asked === 'from elsewhere') return []
      const value = lastSet(received, settings.cookie)
      if (value === undefined) return []
      const form = issue(cookies.deskFormMarker, value, clock.now(), formLifetime)
      // A page between the login and Desk may set the cookie again: that does not extend the minute.
      const at = asked === 'posted' ? clock.now() : postedAt
      return at === undefined ? [form] : [form, issue(cookies.deskMarker, value, at, markerLifetime)]
    },
    readMarker({ header }) {
      const [value, ...more] = cookies.deskValues(header)
      if (value === undefined || more.length > 0) return undefined
      const login = posted(header, value)
      return login && { cookie: value, mark: login.sealed, until: login.at + markerLifetime }
    },
  }
}

function hashOf(value: string): string {
  return createHash('sha256').update(value, 'latin1').digest('base64url')
}

/** The value that the last Set-Cookie of that name leaves in a browser (RFC 6265bis 5.6); undefined when it deletes it. */
function lastSet(received: readonly string[], name: string): string | undefined {
  let last: string | undefined
  for (let i = 0; i < received.length; i += 2) {
    if ((received[i] as string).toLowerCase() !== 'set-cookie') continue
    const [pair = '', ...attributes] = (received[i + 1] as string).split(';')
    const at = pair.indexOf('=')
    if (at < 0 || pair.slice(0, at).trim() !== name) continue
    const value = pair.slice(at + 1).trim()
    last = value === '' || attributes.some(text => /^\s*max-age\s*=\s*(?:0+|-\d+)\s*$/i.test(text)) ? undefined : value
  }
  return last
}

interface DeskSignInDeps {
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
