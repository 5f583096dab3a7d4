// The login of a rehearsal, as a browser goes through it, and what the front makes of its cookies.

import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Cookie } from 'undici'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import type { RefusedLoginReport } from '../../ops/refused-logins.js'
import type { Cookies } from '../../web/request/cookies.js'
import { type FetchedPage, navigation } from './browser.js'
import { causeOf, type DoctorParts, type Findings, isOfFront, noWayBehind } from './findings.js'

interface LoginParts extends DoctorParts {
  /** The names in use. */
  cookies: Cookies
  /** A login that was refused, by its reference. */
  explain(reference: string): Promise<RefusedLoginReport | undefined>
}

/** `page`: what began it. Whether there is a session now. */
export async function logIn(found: Findings, parts: LoginParts, page: FetchedPage): Promise<boolean> {
  const { cookies, rehearsal, browser } = parts
  const sent = page.setCookies.filter(({ name }) => name.startsWith(cookies.attempt))
  const rules = { start: cookies.attempt, path: '/', sameSite: 'None' } as const
  checkCookies(found, 'cookie of the login', sent, { ...rules, secure: isSecure(rehearsal) })
  const state = new URL(page.location).searchParams.get('state') ?? ''
  const body = new URLSearchParams({ jwt: await tokenOf(rehearsal), state }).toString()
  const headers = {
    ...navigation,
    'content-type': 'application/x-www-form-urlencoded',
    origin: 'https://doctor.invalid',
    'sec-fetch-site': 'cross-site',
  }
  const posted = await browser
    .ask(rehearsal.callback, { method: 'POST', headers, body, site: 'cross' })
    .catch(error => causeOf(error))
  if (typeof posted === 'string') {
    found.problem('cross-site POST', `no response: ${posted}`, 'the front: a timeout, or a limit on forms')
    return false
  }
  if (posted.status === 303) return checkSessionCookies(found, parts, posted)
  await explainRefusal(found, parts, posted)
  return false
}

const isSecure = ({ publicUrl }: RehearsalAnswer) => publicUrl.startsWith('https:')

/** The redirect to the provider, if that is what came. */
export async function beginLogin(found: Findings, parts: LoginParts): Promise<FetchedPage | undefined> {
  const { browser, rehearsal, config } = parts
  const first = { headers: { ...navigation, 'sec-fetch-site': 'none' } }
  const name = 'way to the gateway'
  try {
    let page = await browser.ask(rehearsal.login, first)
    if (page.status === 421) {
      const seen = "the gateway sees a host other than publicUrl's: every login begins with one extra page"
      found.problem(
        'Host',
        seen,
        'publicUrl, or have the front pass Host as it came (nginx: proxy_set_header Host $http_host)',
      )
      page = await browser.ask(`${rehearsal.login}?here=1`, first)
    }
    if (page.location.startsWith('https://doctor.invalid/')) {
      found.ok(name, `the login begins at ${rehearsal.publicUrl}${config.prefix}`)
      return page
    }
    found.problem(name, ...(await explainStray(parts, page)))
  } catch (error) {
    found.problem(
      name,
      `no response from publicUrl: ${causeOf(error)}`,
      'check publicUrl, and that the front reaches `listen`',
    )
  }
  return undefined
}

async function explainStray({ browser, rehearsal, config }: LoginParts, page: FetchedPage): Promise<[string, string]> {
  const { status, location } = page
  const { prefix } = config
  if (location !== '') {
    const change = 'set publicUrl to the address that browsers end up at, or remove the redirect in the front'
    return [`HTTP ${status}: sent on to ${location.split('?', 1)[0]}`, change]
  }
  if (isOfFront(page)) return noWayBehind(status, config)
  const url = `${rehearsal.publicUrl}${prefix}/jwks.json`
  const keys = await browser.ask(url, { cookies: 'none' }).catch(() => undefined)
  const isGateway = keys?.status === 200 && /jwk-set/.test(keys.headers['content-type'] ?? '')
  if (isGateway) {
    const change = 'sessions.store and secrets: the same on every replica; or publicUrl, which leads to another gateway'
    return [`HTTP ${status}: the gateway that answers does not know this rehearsal`, change]
  }
  const own = prefix === '/auth' ? '/auth/*' : `${prefix}/* and /auth/*`
  const change = `publicUrl and prefix; in the front, pass every path, ${own} too`
  return [`HTTP ${status} at ${prefix}/login: something other than the gateway answers`, change]
}

function tokenOf({ id, secret, agent, publicUrl, now }: RehearsalAnswer): Promise<string> {
  const jti = randomBytes(16).toString('base64url')
  return new SignJWT({ email: agent, iss: id, aud: publicUrl, iat: Math.floor(now / 1000), jti })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret))
}

function checkSessionCookies(
  found: Findings,
  { cookies, rehearsal, config: { prefix } }: LoginParts,
  { setCookies }: FetchedPage,
): boolean {
  const secure = isSecure(rehearsal)
  const seen = 'the token posted from another site arrived together with the login cookie; a session was opened'
  const overHttp = 'the token arrived; a session was opened. Over http this works only from the same host name'
  found.ok('cross-site POST', secure ? seen : overHttp)
  const session = setCookies.filter(({ name }) => name === cookies.session)
  checkCookies(found, 'session cookie', session, { start: cookies.session, path: '/', sameSite: 'Lax', secure })
  const marks = setCookies.filter(({ name, path }) => name === cookies.seen && path !== '/auth')
  if (prefix === '/auth') marks.push(...setCookies.filter(({ name }) => name === cookies.seen))
  const rules = { start: cookies.seen, path: prefix, sameSite: 'None' } as const
  checkCookies(found, 'seen cookie', marks.slice(0, 1), { ...rules, secure })
  return session.length > 0
}

interface CookieRules {
  start: string
  path: string
  sameSite: 'None' | 'Lax'
  secure: boolean
}

/** Whether a browser gets it as the gateway has written it. */
function checkCookies(found: Findings, name: string, seen: readonly Cookie[], rules: CookieRules) {
  const change =
    'the front changes Set-Cookie (nginx: proxy_hide_header, proxy_cookie_flags, proxy_cookie_path; Apache: Header edit): pass it as it is'
  const [cookie] = seen
  if (!cookie) return found.problem(name, `no Set-Cookie ${rules.start} arrived: the front blocks it`, change)
  const sameSite = rules.secure ? rules.sameSite : 'Lax'
  const faults = [
    rules.secure && !cookie.secure ? 'without Secure' : '',
    cookie.httpOnly ? '' : 'without HttpOnly',
    cookie.sameSite === sameSite ? '' : `SameSite=${cookie.sameSite ?? '(none)'} instead of ${sameSite}`,
    cookie.path === rules.path ? '' : `Path=${cookie.path ?? '(none)'} instead of ${rules.path}`,
    cookie.domain ? `with Domain=${cookie.domain}` : '',
  ].filter(text => text !== '')
  if (faults.length > 0) return found.problem(name, `${cookie.name} arrived ${faults.join(', ')}`, change)
  found.ok(name, `${rules.secure ? 'Secure, ' : ''}HttpOnly, SameSite=${sameSite}, Path=${rules.path}`)
}

/** By what the gateway itself has seen, where it was the gateway that refused. */
async function explainRefusal(
  found: Findings,
  { explain, browser, cookies }: LoginParts,
  page: FetchedPage,
): Promise<void> {
  const reference = /<code>([2-9A-Z]{5}-[2-9A-Z]{5})<\/code>/.exec(page.body)?.[1]
  const report = reference === undefined ? undefined : await explain(reference)
  const name = 'cross-site POST'
  if (!report) {
    const change =
      'the front, or a firewall in it, refuses or changes forms that other sites post: pass POST requests with an unchanged body'
    return found.problem(name, `HTTP ${page.status}, and not from the gateway`, change)
  }
  const { reason, checks } = report
  if (reason === 'jwt.state_mismatch') {
    const sent = browser.jar.some(one => one.name.startsWith(cookies.attempt) && one.sameSite === 'None')
    const seen = sent
      ? 'the cookie of the login was sent but did not arrive: the front blocks Cookie'
      : 'browsers do not send the cookie of the login when another site posts'
    const change = sent
      ? 'the front removes or filters Cookie: pass it as it is'
      : 'have the front pass Set-Cookie to browsers unchanged, with SameSite=None and Secure'
    return found.problem(name, seen, change)
  }
  const failed = checks.at(-1)
  const clocks = /too_old|from_the_future|expired|not_yet/.test(reason)
  const seen = `${reason}: ${failed?.name ?? ''}${failed?.seen === undefined ? '' : `, seen ${failed.seen}`}`
  found.problem(name, seen, clocks ? 'the clocks of the replicas' : (failed?.setting ?? 'see deskgate explain'))
}
