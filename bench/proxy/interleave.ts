// One measure of all gateways: started beside each other, warmed, and then measured by turns, so that what the machine
// does in a bad minute is everybody's.

import { setTimeout as pause } from 'node:timers/promises'
import type { Contestant } from './check.js'
import { startDesk } from './desk.js'
import type { Measure } from './measures.js'
import type { Entrant } from './peer.js'
import { type Line, majorOf, roughRounds } from './run.js'

export interface How {
  rounds: number
  seconds: number
  folder: string
  say(line: string): void
}

/** The most seconds that a program is warmed each time: several times, as to begin and to end is something to be learnt. */
const warm = 4

export async function interleave(measure: Measure, entrants: Entrant[], how: How): Promise<Line[]> {
  const { seconds, folder, say } = how
  const rounds = measure.rough ? roughRounds(how.rounds) : how.rounds
  const desk = await startDesk(folder)
  const all: (Contestant & { line: Line })[] = []
  const several = new Set(entrants.flatMap(({ version }) => version ?? [])).size > 1
  for (const { peer, node, version } of entrants.filter(({ peer }) => measure.takes(peer))) {
    const running = await measure.start(peer, { folder, desk, node })
    const name = version && several ? `${peer.name}, Node ${majorOf(version)}` : peer.name
    const line = { key: peer.key, name, ...(version ? { node: version } : {}), rounds: [] }
    all.push({ peer, running, desk, line })
  }
  for (let time = 0; time < Math.min(rounds, measure.rough ? 2 : 3); time++) {
    for (const one of all) await measure.warm(one, Math.min(seconds + 1, warm))
  }
  if (measure.prepare) say(await measure.prepare(all))
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the first or the last.
    for (const [index] of all.entries()) {
      const one = all[(index + round) % all.length] as (typeof all)[number]
      // What the last one has left behind, closing connections above all, is not this one's.
      await pause(200)
      one.line.rounds.push(await measure.round(one, seconds))
    }
  }
  for (const { running } of all) await running.stop()
  await desk.stop()
  return all.map(({ line }) => line)
}
