// Sessions for tests: as the gateway makes them, with everything that they tell kept for the test to look at.

import type { Clock, Handle, Sessions, Store } from '../../src/core/contracts.js'
import { createKeyring } from '../../src/keys/keyring.js'
import type { AuditEvent } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createSessions, type SessionsDeps } from '../../src/sessions/sessions.js'

export interface TestSessions {
  sessions: Sessions
  /** Handles and reasons that its listener was told. */
  told: [Handle, string][]
  toldOf(handle: Handle): string[]
  audits: AuditEvent[]
  lookups: string[]
  /** What the gauge of the store was set to. */
  up: boolean[]
  /** The log's lines, parsed. */
  lines: Record<string, unknown>[]
}

export const testSecret = 'a secret for tests, at least 32 bytes'

/** `cookie`: the cookie that it gives to every session. */
export function createTestSessions(deps: {
  store: Store
  clock: Clock
  settings: Partial<SessionsDeps['settings']> & { idle: number; lifetime: number }
  secrets?: string[]
  cookie?: string
}): TestSessions {
  const { store, clock, settings, secrets = [testSecret] } = deps
  const told: [Handle, string][] = []
  const audits: AuditEvent[] = []
  const lookups: string[] = []
  const up: boolean[] = []
  const lines: Record<string, unknown>[] = []
  const metrics = {
    ...createMetrics(),
    lookup: (source: string) => void lookups.push(source),
    storeUp: (is: boolean) => void up.push(is),
  }
  const fixed = deps.cookie === undefined ? undefined : Buffer.from(deps.cookie, 'base64url')
  const sessions = createSessions({
    store,
    clock,
    settings: { nearCache: 30_000, outageGrace: 0, perAgent: 0, ...settings },
    keyring: createKeyring(secrets, { random: systemRandom }),
    random: bytes => fixed ?? systemRandom(bytes),
    metrics,
    audit: event => void audits.push(event),
    log: createLog({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  })
  sessions.onEnd((handle, why) => told.push([handle, why]))
  const toldOf = (handle: Handle) => told.filter(([one]) => one === handle).map(([, why]) => why)
  return { sessions, told, toldOf, audits, lookups, up, lines }
}
