// Which cookie of Desk may open the gateway: only one that Desk set in answer to what this browser posted to Desk's own
// login less than a minute ago. Each mark is a sealed cookie, bound to the value of Desk's cookie. Never asks Desk.

import { createHash } from 'node:crypto'
import type { Clock } from '../../core/contracts.js'
import { cookieHeader } from '../access/authenticate.js'
import type { DeskMarks } from '../context.js'
import type { Sealer } from '../login/attempts.js'
import type { Cookies } from '../request/cookies.js'
import { isFromOurPages } from '../request/origin-check.js'
import { compilePathRules } from '../request/path-rules.js'

export interface DeskMarksDeps {
  /** login.alsoAllowDeskAuthentication */
  settings: { paths: readonly string[]; cookie: string }
  publicUrl: string
  cookies: Cookies
  keyring: Sealer
  clock: Clock
}

/** How long what was posted to Desk's login may open the gateway, in milliseconds. */
export const markLife = 60_000
/** How long Desk's login page may stay open before it is sent, in milliseconds. */
const formLife = 3_600_000
/** What is newer than this is no time of ours but another replica's clock, in milliseconds. */
const ahead = 60_000

const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function createDeskMarks(deps: DeskMarksDeps): DeskMarks {
  const { settings, publicUrl, cookies, keyring, clock } = deps
  const isLogin = compilePathRules(settings.paths)
  const secure = cookies.secure ? '; Secure; HttpOnly' : '; HttpOnly'

  const issue = (name: string, value: string, at: number, life: number) => {
    const plain = Buffer.alloc(6)
    plain.writeUIntBE(at, 0, 6)
    const left = Math.max(1, Math.ceil((at + life - clock.now()) / 1000))
    return `${name}=${keyring.seal(name, plain, hashOf(value))}; Path=/; Max-Age=${left}${secure}; SameSite=Lax`
  }
  /** When the one mark of that name was made for this value of Desk's cookie; undefined when none holds. */
  const madeAt = (name: string, header: string | undefined, value: string, life: number) => {
    const sealed = onlyValue(header, name)
    const plain = sealed === undefined ? undefined : keyring.open(name, sealed, hashOf(value))
    if (sealed === undefined || plain?.length !== 6) return undefined
    const at = plain.readUIntBE(0, 6)
    const age = clock.now() - at
    return age < life && age > -ahead ? { at, sealed } : undefined
  }
  const posted = (header: string | undefined, value: string) => madeAt(cookies.deskMark, header, value, markLife)

  return {
    watch(request, { target }) {
      const method = request.method ?? ''
      if (!isLogin(method, target)) return undefined
      const header = cookieHeader(request)
      const [value, ...more] = cookies.deskValues(header)
      const login = value === undefined ? undefined : posted(header, value)
      const form = value === undefined ? undefined : madeAt(cookies.deskForm, header, value, formLife)
      // Attack: a cookie that was here before – left by a logout, or planted by a sibling host – may be logged in already,
      // and Desk may set it anew with whatever is posted. Desk gets to see only what it gave to this login.
      const known = more.length === 0 && (login ?? form) !== undefined
      // Attack: another site's page posts its own password here, so that the agent works in somebody else's account.
      const asked = safe.has(method) ? 'page' : isFromOurPages(request.headers, publicUrl) ? 'posted' : 'from elsewhere'
      return { cookie: known ? 'passed' : 'withheld', asked, ...(known && login ? { postedAt: login.at } : {}) }
    },
    setCookies(received, { asked, postedAt }) {
      if (asked === 'from elsewhere') return []
      const value = lastSet(received, settings.cookie)
      if (value === undefined) return []
      const form = issue(cookies.deskForm, value, clock.now(), formLife)
      // A page on the way from the login to Desk may set the cookie again: that adds nothing to the minute.
      const at = asked === 'posted' ? clock.now() : postedAt
      return at === undefined ? [form] : [form, issue(cookies.deskMark, value, at, markLife)]
    },
    marked({ header }) {
      const [value, ...more] = cookies.deskValues(header)
      if (value === undefined || more.length > 0) return undefined
      const login = posted(header, value)
      return login && { cookie: value, mark: login.sealed, until: login.at + markLife }
    },
  }
}

function hashOf(value: string): string {
  return createHash('sha256').update(value, 'latin1').digest('base64url')
}

/** Exact bytes, as of the session cookie; of two, one may have been planted. */
function onlyValue(header: string | undefined, name: string): string | undefined {
  const pair = `${name}=`
  const found = (header ?? '').split(';').flatMap(part => {
    const cookie = part.startsWith(' ') ? part.slice(1) : part
    return cookie.startsWith(pair) ? [cookie.slice(pair.length)] : []
  })
  return found.length === 1 ? found[0] : undefined
}

/** The value that the last Set-Cookie of that name leaves in a browser (RFC 6265bis 5.6); undefined when it takes it away. */
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
