// What `deskgate check --online` says about the session store: whether it works as the gateway uses it, and how many sessions
// in it the configuration ends. Nothing is changed there but what the store cleans up anyway.

import type { Finding } from '../../config/load.js'
import type { Config } from '../../config/schema/index.js'
import type { Revalidate, Sessions } from '../../core/sessions.js'
import { createKeyring } from '../../keys/keyring.js'
import { createLog } from '../../ops/log.js'
import { createMetrics } from '../../ops/metrics.js'
import { isConfigured } from '../../providers/create.js'
import { isRehearsal } from '../../providers/rehearsal.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { createSessions } from '../../sessions/sessions.js'
import { openStore } from '../../store/open.js'
import { topologyOf } from '../../store/redis/url.js'

export interface StoreFindings {
  /** Why the store cannot be used, in Redis's own words. */
  problem?: string
  warnings: Finding[]
}

export async function checkStore(config: Config): Promise<StoreFindings> {
  const settings = config.sessions.store
  if (topologyOf(settings) === 'memory') return { warnings: [] }
  const shared = { clock: systemClock, random: systemRandom, log: createLog({ level: 'silent' }) }
  const store = openStore(settings, shared)
  const keyring = createKeyring(
    config.secrets.map(secret => secret.reveal()),
    shared,
  )
  const { publicUrl } = config
  const revalidate: Revalidate = session => session
  const own = { store, keyring, publicUrl, settings: config.sessions, metrics: createMetrics() }
  // It subscribes, so that the probe tries the channel as well.
  const sessions = createSessions({ ...shared, ...own, revalidate, audit: () => {} })
  try {
    await store.probe()
    return { warnings: orphanFindings(await countOrphans(sessions, config)) }
  } catch (error) {
    return { problem: (error as Error).message, warnings: [] }
  } finally {
    await store.close()
  }
}

/** The live sessions of providers that are not configured, by provider. */
async function countOrphans(sessions: Sessions, { providers }: Config): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  let cursor: string | undefined
  do {
    const page = await sessions.list('all', cursor)
    for (const { provider } of page.items) {
      if (!isConfigured(provider, providers) && !isRehearsal(provider))
        counts.set(provider, (counts.get(provider) ?? 0) + 1)
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return counts
}

function orphanFindings(counts: Map<string, number>): Finding[] {
  if (counts.size === 0) return []
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const each = [...counts].map(([provider, count]) => `${provider}: ${count}`).join(', ')
  const sessions = total === 1 ? '1 live session belongs' : `${total} live sessions belong`
  const message = `${sessions} to providers that are not configured (${each})`
  return [
    {
      path: ['providers'],
      message,
      hint: `${total === 1 ? 'it ends' : 'they end'} when the gateway runs with this configuration`,
    },
  ]
}
