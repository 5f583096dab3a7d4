// Links to the login page: where it begins, what it returns to, and what the provider is asked for.

import type { Paths } from '../request/paths.js'

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
