// The failures that cross folders. Everything else is a bug and may crash the request.

/** The store could not answer: fail closed, say 503, never "no session". */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/** A directory source could not answer: the login is refused, a later source is never a fallback. */
export class DirectoryUnavailable extends Error {
  override name = 'DirectoryUnavailable'
}
