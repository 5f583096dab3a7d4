// The ops API over real sessions on the memory store, with a clock moved by hand.

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { createSecret } from '../../src/core/secret.js'
import type { Session, Sessions } from '../../src/core/sessions.js'
import type { Store } from '../../src/core/store.js'
import { createOps } from '../../src/ops/api.js'
import type { AuditEvent } from '../../src/ops/audit.js'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { createReadiness } from '../../src/ops/readiness.js'
import { createRefusedLogins } from '../../src/ops/refused-logins.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock, type TestClock } from './clock.js'
import { createTestSessions } from './sessions.js'

export const adminToken = 'an-admin-token-of-some-length-0123456789'
const log = createLog({ level: 'silent' })
const hour = 3_600_000

const nothing = () => Promise.reject(new Error('this was not expected'))

export interface OpsSessions {
  app: FastifyInstance
  clock: TestClock
  sessions: Sessions
  audits: AuditEvent[]
  logIn(email: string, more?: { name?: string; browser?: string }): Promise<{ cookie: string; session: Session }>
  /** Opens a port; its URL. */
  listen(): Promise<string>
}

/** Idle 8 hours, lifetime 24. `change`: methods of the store that are not as they should be. */
export function openOpsSessions(t: Test, change: (store: Store) => Partial<Store> = () => ({})): OpsSessions {
  const clock = createTestClock()
  const memory = createMemoryStore({ clock })
  const store = { ...memory, ...change(memory) }
  const metrics = createMetrics()
  const dossiers = createRefusedLogins({ store, clock, random: systemRandom, log })
  const readiness = createReadiness({ store, clock, log, metrics })
  const own = createTestSessions({ store, clock, settings: { idle: 8 * hour, lifetime: 24 * hour } })
  const { sessions, audits } = own
  const app = createOps({
    metrics,
    refusedLogins: dossiers,
    readiness,
    sessions,
    adminToken: () => createSecret(adminToken),
    breakglass: {
      issuer: { issue: nothing },
      url: () => '',
      directory: { find: nothing },
      audit: () => {},
      metrics,
      log,
    },
  })
  t.teardown(async () => {
    readiness.close()
    await app.close()
  })
  let count = 0
  return {
    app,
    clock,
    sessions,
    audits,
    logIn(email, { name, browser = 'Firefox on Linux' } = {}) {
      const replayKey = { id: `${count++}`, until: clock.now() + 60_000 }
      const agent = { email, roles: [], ...(name === undefined ? {} : { name }) }
      return sessions.create({ provider: 'corp', email, replayKey }, agent, { address: '192.0.2.7', browser })
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 })
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
    },
  }
}
