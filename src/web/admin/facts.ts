// What this process knows of providers, directory and store, for the session desk. Figures come from the metrics.

import type { Clock } from '../../core/clock.js'
import type { Metrics } from '../../ops/metrics.js'

/** When each provider has let somebody in and refused somebody, in this process. Milliseconds since the epoch. */
export interface LastLogins {
  note(provider: string, outcome: 'accepted' | 'refused'): void
  of(provider: string): { accepted?: number; refused?: number }
}

export function createLastLogins(clock: Clock): LastLogins {
  // Bounded: only providers that were configured come here.
  const known = new Map<string, { accepted?: number; refused?: number }>()
  return {
    note: (provider, outcome) => void known.set(provider, { ...known.get(provider), [outcome]: clock.now() }),
    of: provider => known.get(provider) ?? {},
  }
}

/** The same metrics, which note each login. */
export function countingLogins(metrics: Metrics, last: LastLogins): Metrics {
  return {
    ...metrics,
    login(provider, outcome, reason) {
      last.note(provider, outcome)
      metrics.login(provider, outcome, reason)
    },
  }
}

/** The gauges of one process, by the value of their label. */
export interface Gauges {
  of(name: string, label: string): number | undefined
}

export async function readGauges(metrics: Pick<Metrics, 'parts'>): Promise<Gauges> {
  const values = new Map<string, number>()
  for (const part of await metrics.parts()) {
    for (const { labels, value } of part.values) values.set(`${part.name} ${Object.values(labels)[0] ?? ''}`, value)
  }
  return { of: (name, label) => values.get(`${name} ${label}`) }
}
