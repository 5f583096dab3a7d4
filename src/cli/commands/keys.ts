// `deskgate keys generate`: a new key for the identity assertion.

import { newSigningKey } from '../../keys/assertion-keys.js'
import type { ExitCode, Io } from '../io.js'

/** Prints a new ES256 key as PKCS #8 PEM, for a file in identity.assertion.keys. */
export function generateKey(io: Io): ExitCode {
  io.out(newSigningKey().trimEnd())
  return 0
}
