// Sessions for tests: made as in the gateway, with their audit events, metrics and log lines recorded.

import type { Clock } from '../../src/core/clock.js'
import type { Handle, Revalidate, Sessions } from '../../src/core/sessions.js'
import type { Store } from '../../src/core/store.js'
import { createKeyring } from '../../src/keys/keyring.js'
import type { AuditEvent } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { type Scheduler, systemRandom } from '../../src/runtime/clock.js'
import { createSessions, type SessionsDeps } from '../../src/sessions/sessions.js'

export interface TestSessions {
  sessions: Sessions
  /** Handles and reasons that its onEnd listener was called with. */
  revocations: [Handle, string][]
  revocationReasons(handle: Handle): string[]
  audits: AuditEvent[]
  lookups: string[]
  /** The values of the gauge of the store. */
  up: boolean[]
  /** The log's lines, parsed. */
  lines: Record<string, unknown>[]
}

export const testSecret = 'a secret for tests, at least 32 bytes'

/** `cookie`: the cookie of every session. */
export function createTestSessions(deps: {
  store: Store
  clock: Clock
  settings: Partial<SessionsDeps['settings']> & { idle: number; lifetime: number }
  secrets?: string[]
  cookie?: string
  revalidate?: Revalidate
  publicUrl?: string
  monotonic?: () => number
  schedule?: Scheduler
}): TestSessions {
  const { store, clock, settings, secrets = [testSecret] } = deps
  const revocations: [Handle, string][] = []
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
    publicUrl: deps.publicUrl ?? 'https://desk.example.com',
    store,
    clock,
    ...(deps.monotonic ? { monotonic: deps.monotonic } : {}),
    ...(deps.schedule ? { schedule: deps.schedule } : {}),
    settings: { nearCache: 30_000, outageGrace: 0, perAgent: 0, ...settings },
    keyring: createKeyring(secrets, { random: systemRandom }),
    random: bytes => fixed ?? systemRandom(bytes),
    revalidate: deps.revalidate ?? (session => session),
    metrics,
    audit: event => void audits.push(event),
    log: createLog({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  })
  sessions.onEnd((handle, why) => revocations.push([handle, why]))
  const revocationReasons = (handle: Handle) => revocations.filter(([one]) => one === handle).map(([, why]) => why)
  return { sessions, revocations, revocationReasons, audits, lookups, up, lines }
}
