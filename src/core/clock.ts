// Time and randomness as arguments, so that tests move them by hand.

/** Milliseconds since the epoch. */
export interface Clock {
  now(): number
}

/** Cryptographically strong random bytes. */
export type Random = (bytes: number) => Buffer
