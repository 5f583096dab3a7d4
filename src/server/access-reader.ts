// Reads who may do what from the running gateway: its directory, its live sessions and the guard of the current snapshot.

import { setImmediate as breathe } from 'node:timers/promises'
import type { AgentRecord } from '../core/directory.js'
import { DirectoryUnavailable } from '../core/errors.js'
import type { Session } from '../core/sessions.js'
import type { AccessFacts, AccessReader, AccessRequest } from '../ops/api/access.js'
import { explainWays } from '../web/access/explain-access.js'
import type { Gateway } from './app.js'

/** Agents of a report between two pauses: requests go on meanwhile. */
const batchSize = 50

export function createAccessReader({ snapshot, sessions }: Pick<Gateway, 'snapshot' | 'sessions'>): AccessReader {
  const locate = async (email: string): Promise<{ source?: string; found: AgentRecord | AccessFacts['state'] }> => {
    const { directory } = snapshot()
    try {
      return directory.locate ? await directory.locate(email) : { found: await directory.find(email) }
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error
      return { source: error.message, found: 'unavailable' }
    }
  }
  const sessionsOf = async (email: string) => {
    const live: Session[] = []
    let cursor: string | undefined
    do {
      const page = await sessions.list({ email }, cursor)
      live.push(...page.items)
      cursor = page.cursor
    } while (cursor !== undefined)
    return live
  }
  const explain = async (email: string, request?: AccessRequest): Promise<AccessFacts> => {
    const { config, pipeline, identity } = snapshot()
    const [{ source, found }, live] = await Promise.all([locate(email), sessionsOf(email)])
    const asked = request ? { request: `${request.method} ${request.target}` } : {}
    const facts = { agent: email, ...(source === undefined ? {} : { source }), ...asked, liveSessions: live.length }
    if (typeof found === 'string') {
      return { ...facts, state: found as AccessFacts['state'], ...(request ? { allowed: false } : {}), ways: [] }
    }
    const policy = { config, guard: pipeline.guard, identity }
    const ways = explainWays(policy, { record: found, source: source ?? 'the directory', sessions: live }, request)
    const allowed = ways.some(({ enters, outcome }) => outcome === 'public' || (enters && outcome === 'allowed'))
    return { ...facts, state: 'active', ...(request ? { allowed } : {}), ways }
  }

  return {
    explain,
    async *report() {
      let count = 0
      for (const email of snapshot().directory.emails?.() ?? []) {
        if (++count % batchSize === 0) await breathe()
        yield await explain(email)
      }
    },
  }
}
