/** Changes with every name and byte of what dist is built from; `folder` is the project's. */
export function fingerprint(folder?: string): string

/** Whether dist was built from what is here, and to its end. */
export function isBuilt(folder?: string): boolean

/** Copies what runs in browsers to dist. */
export function copyScripts(folder?: string, dist?: string): void
