// A secret value that masks itself wherever it might be printed by accident.

import { inspect } from 'node:util'

export interface Secret {
  /** The value itself: call it where it is used, and keep the result nowhere. */
  reveal(): string
}

/** Wraps a value so that printing, logging or serialising it shows `[secret]`. */
export function createSecret(value: string): Secret {
  const mask = () => '[secret]'
  return Object.freeze({ reveal: () => value, toString: mask, toJSON: mask, [inspect.custom]: mask })
}
