// The memory store's place for dossiers (keys beginning `d:`). It has a bound of its own and drops the oldest: refused
// logins cost an attacker nothing, and must neither fill the store nor push a session or a claim out of it.

import type { Clock } from '../../core/contracts.js'

export interface DossierShelf {
  /** Whether a key belongs here. */
  owns(key: string): boolean
  get(key: string): Buffer | undefined
  /** `ttl` in milliseconds. */
  set(key: string, value: Buffer, ttl: number): void
  delete(key: string): boolean
}

/** `most`: dossiers that are kept. */
export function createDossierShelf(deps: { clock: Clock; most: number }): DossierShelf {
  const kept = new Map<string, { value: Buffer; end: number }>()
  const holds = (end: number | undefined) => end !== undefined && end > deps.clock.now()

  return {
    owns: key => key.startsWith('d:'),
    get(key) {
      const dossier = kept.get(key)
      return dossier && holds(dossier.end) ? dossier.value : undefined
    },
    set(key, value, ttl) {
      kept.delete(key)
      kept.set(key, { value, end: deps.clock.now() + ttl })
      const [oldest] = kept.keys()
      if (kept.size > deps.most && oldest !== undefined) kept.delete(oldest)
    },
    delete(key) {
      const end = kept.get(key)?.end
      kept.delete(key)
      return holds(end)
    },
  }
}
