import type { Part } from './parts.mjs'

/** Makes the virtual environment of a part with `pip`, anew, as FOLDER/NAME. Says what went wrong, or nothing. */
export function makeVenv(part: Part, folder?: string): string | undefined
