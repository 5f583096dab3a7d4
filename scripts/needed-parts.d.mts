import type { Part } from './parts.mjs'

/** `files`: test files, by their paths from `root`. In the order of the list of all parts. */
export function neededParts(files: readonly string[], root?: string): Part[]
