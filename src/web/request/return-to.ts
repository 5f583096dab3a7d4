// return_to: where a browser may go after a login, and the links to the login page that carry it. What is validated is an
// absolute path at publicUrl, in ASCII, that no browser, proxy or Desk can read as another site, even after decoding it
// again. An unsafe value becomes '/', never an error.

import type { Config } from '../../config/schema/index.js'
import type { Paths } from './paths.js'

/** The most characters of a safe return_to; see `shorten`. */
const longest = 2048
/** The most bytes of a fragment; a longer one is dropped. */
export const longestFragment = 300
/** How often a path may be decoded until nothing is left to decode. */
const deepest = 5

/** The parameter that ties an echoed return_to to the attempt it was given with. */
const stateParameter = 'deskgate_state'

// Attack: browsers drop tabs, line breaks and leading control characters, and read '\' as '/' (WHATWG URL 4.4).
const unclean = /[\p{C}\p{Z}\\]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const decodedUnclean = /[\u0000-\u001f\u007f-\u009f\\]/
/** After '#' a backslash is only a character. */
const uncleanFragment = /[\p{C}\p{Z}]/u
const absolute = /^(https?):\/\/([^/?#]+)(.*)$/i

/**
 * Validates where to go after a login.
 * @param value what a client or an identity provider handed over: anything
 * @param publicUrl the origin that browsers use
 * @returns path, query and fragment at publicUrl; '/' for everything else
 */
export function safeReturnTo(value: unknown, publicUrl: string, paths: Paths): string {
  if (typeof value !== 'string' || unclean.test(value)) return '/'
  const local = value.startsWith('/') ? value : localPart(value, publicUrl)
  if (local === undefined) return '/'
  const path = local.split(/[?#]/, 1)[0] ?? ''
  if (!isSafePath(path, paths)) return '/'
  const url = parse(local, publicUrl)
  if (url === undefined || url.origin !== publicUrl || url.pathname.startsWith('//')) return '/'
  return shorten(url.pathname + url.search + shortHash(url), candidate => candidate.length <= longest)
}

/**
 * A safe return_to with another fragment, if that is one and not too long.
 * @param fragment what a client sent as its location.hash: anything
 */
export function withFragment(returnTo: string, fragment: unknown): string {
  if (typeof fragment !== 'string' || uncleanFragment.test(fragment)) return returnTo
  const hash = shortHash(new URL(`#${fragment.replace(/^#/, '')}`, 'http://localhost'))
  return hash === '' ? returnTo : splitFragment(returnTo).page + hash
}

/** Path and query, and the fragment with its '#', or ''. */
export function splitFragment(returnTo: string): { page: string; hash: string } {
  const [page = '/'] = returnTo.split('#', 1)
  return { page, hash: returnTo.slice(page.length) }
}

function shortHash({ hash }: URL): string {
  return hash.length - 1 > longestFragment ? '' : hash
}

/**
 * The same for a snapshot, with one page of our own: a login leads to what was kept over it. Nobody returns to Desk's own login page: an agent who began there is logged in by now.
 */
export function returnToIn(
  { config, paths }: { config: Pick<Config, 'publicUrl' | 'login'>; paths: Paths },
  value: unknown,
): string {
  const { publicUrl } = config
  if (value === paths.kept || value === publicUrl + paths.kept) return paths.kept
  const returnTo = safeReturnTo(value, publicUrl, paths)
  const page = withoutSlash(decodeURIComponent(returnTo.split(/[?#]/, 1)[0] ?? '/'))
  return config.login.deskLoginPaths.some(path => withoutSlash(path) === page) ? '/' : returnTo
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** A safe return_to that fits: whole, else without its fragment, else without its query too, else '/'. */
export function shorten(returnTo: string, fits: (candidate: string) => boolean): string {
  const { page } = splitFragment(returnTo)
  const [path = '/'] = page.split('?', 1)
  return [returnTo, page, path].find(fits) ?? '/'
}

/**
 * Takes the state out of an echoed return_to; the other bytes stay as they were. It does not validate.
 * `states` holds every value that was there: more than one is for the caller to refuse.
 */
export function takeState(value: string): { returnTo: string; states: string[] } {
  const [beforeHash = '', ...hash] = value.split('#')
  const [path = '', ...query] = beforeHash.split('?')
  const fields = query.join('?').split('&')
  const isState = (field: string) => field.startsWith(`${stateParameter}=`)
  const states = fields.filter(isState).map(field => field.slice(stateParameter.length + 1))
  if (states.length === 0) return { returnTo: value, states }
  const kept = fields.filter(field => !isState(field)).join('&')
  return { returnTo: [kept === '' ? path : `${path}?${kept}`, ...hash].join('#'), states }
}

/**
 * Fields of the login pages after a refusal: the provider has to ask who it is, or to log out first. From the chooser it is
 * asked: a logout there would lose what the login is for.
 */
export const otherAccount = { account: 'other' }
export const askAccount = { account: 'ask' }

/** The field of the login page that names the request, "METHOD /path", for which a stronger or fresher login is needed. */
export const stepUpField = 'step_up'

/** `returnTo` is checked, or the end of a login in a small window. `login`: where it begins. */
export function loginHref(
  paths: Pick<Paths, 'login' | 'popup'>,
  returnTo: string,
  more: Record<string, string> = {},
  login = paths.login,
): string {
  const fields = Object.entries({ ...returnField(paths, returnTo), ...more })
  const query = fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  return query === '' ? login : `${login}?${query}`
}

/** Nobody can ask to return to the gateway's own pages: where a small window ends is not in its address. */
export function returnField({ popup }: Pick<Paths, 'popup'>, returnTo: string): Record<string, string> {
  if (returnTo === popup) return { display: 'popup' }
  return returnTo === '/' ? {} : { return_to: returnTo }
}

/** Path, query and fragment of an absolute URL at publicUrl's origin; undefined for another's. */
function localPart(value: string, publicUrl: string): string | undefined {
  // Attack: https:evil, https:/evil, https:///evil and https://desk@evil are all absolute to a browser.
  const [, scheme, authority, rest = ''] = absolute.exec(value) ?? []
  if (scheme === undefined || authority === undefined || authority.includes('@')) return undefined
  if (parse(`${scheme}://${authority}`, undefined)?.origin !== publicUrl) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Whether a path stays ours however often somebody decodes it: each reading has to pass. */
function isSafePath(path: string, paths: Paths): boolean {
  // The first decoding is the strict one (RFC 3986 2.1, UTF-8): the gateway itself answers 400 to what fails it.
  let reading = decode(path)
  if (reading === undefined || !isSafeReading(path, paths)) return false
  for (let round = 0; round < deepest; round++) {
    if (!isSafeReading(reading, paths)) return false
    const next = decodeAscii(reading)
    if (next === reading) return true
    reading = next
  }
  return false
}

function isSafeReading(path: string, paths: Paths): boolean {
  if (decodedUnclean.test(path)) return false
  // Attack: '//evil', '/%2fevil' and '/ /evil' become a host once somebody decodes or trims.
  if (!path.startsWith('/') || /^\/\s*\//.test(path)) return false
  // Attack: '/.//evil' and '/a/..//evil' are '//evil' once the dot segments are gone (RFC 3986 5.2.4).
  if (path.split('/').some(segment => /^\.{1,2}(;|$)/.test(segment.trim()))) return false
  return !paths.owns(path)
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** Every escape of an ASCII character, as a lenient reader would: the others cannot make a slash. */
function decodeAscii(path: string): string {
  return path.replace(/%[0-7][0-9a-f]/gi, found => String.fromCharCode(Number.parseInt(found.slice(1), 16)))
}

function parse(value: string, base: string | undefined): URL | undefined {
  return URL.canParse(value, base) ? new URL(value, base) : undefined
}
