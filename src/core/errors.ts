// The failures that cross folders. Everything else is a bug and may crash the request.

/** The store could not answer: fail closed, say 503, never "no session". */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'

  /** `refusal`: the code with which the store has refused, such as OOM; undefined when it has not answered. */
  constructor(
    message: string,
    readonly refusal?: string,
  ) {
    super(message)
  }
}

/** For `catch`: the value that stands for a store that does not answer. Every other error goes on. */
export const whenStoreFails =
  <Value>(value: Value) =>
  (error: unknown): Value => {
    if (error instanceof StoreUnavailable) return value
    throw error
  }

/** A directory source could not answer: the login is refused, a later source is never a fallback. */
export class DirectoryUnavailable extends Error {
  override name = 'DirectoryUnavailable'
}
