import type { Part } from './parts.mjs'

/** Debian and what descends from it, as root: only there anything may be installed. */
export function mayInstall(): boolean

/** Installs what the parts need; look afterwards whether they are there. */
export function install(missing: readonly Part[], print: (text: string) => void): void
