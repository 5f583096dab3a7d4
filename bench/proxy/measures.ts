// What is measured in a round, and the rounds: all gateways stand beside each other, each part is done with one after the
// other, and a round has all parts, so that what the machine does in a bad minute is everybody's.

import { setTimeout as pause } from 'node:timers/promises'
import { type Contestant, checkIdentity, checkPage, checkSocket, checkUpload } from './check.js'
import { pages, startDesk } from './desk.js'
import { echoes, type OpenLoop, saturate, startOpenLoop } from './load.js'
import { cpuOf, memoryOf, watchOthers } from './machine.js'
import type { Entrant } from './peer.js'
import { type Line, majorOf, medianOf, type Run, type What } from './run.js'

interface Contender extends Contestant {
  lines: Partial<Record<What, Line>>
}

interface Tools {
  load: OpenLoop
  seconds: number
}

type Figures = Record<string, number>

const uploaded = 10 * 1024 * 1024

/** Each begins with a load that does not count: a program that was idle is not yet what it is. */
const measures: Record<What, { title: string; of(one: Contender, tools: Tools): Promise<Figures> }> = {
  saturation: { title: 'pages of 1 KiB, as many as it takes', of: pagesOf('small') },
  rate2000: { title: 'pages of 1 KiB, 2,000 a second', of: atRate(() => 2000) },
  rate500: { title: 'pages of 1 KiB, 500 a second', of: atRate(() => 500) },
  half: {
    title: 'pages of 1 KiB, half of what each takes',
    of: atRate(({ lines }) => medianOf(lines.saturation, 'requests/s') / 2),
  },
  medium: { title: 'pages of 64 KiB', of: pagesOf('medium') },
  large: { title: 'downloads of 10 MiB', of: pagesOf('large') },
  upload: {
    title: 'uploads of 10 MiB',
    async of(one, { seconds }) {
      await checkUpload(one, uploaded)
      await checkIdentity(one)
      return costOf(one, { path: 'upload', bytes: uploaded, upload: uploaded, seconds })
    },
  },
  websocket: {
    title: 'messages of 64 bytes, echoed, 64 connections',
    async of(one, { seconds }) {
      await checkSocket(one)
      await echoes(one.running, seconds / 2)
      const { result, used } = await counted(one, () => echoes(one.running, seconds))
      return { 'CPU µs': (used / result) * 1e6, 'messages/s': result / seconds }
    },
  },
}

function pagesOf(page: keyof typeof pages) {
  return async (one: Contender, { seconds }: Tools): Promise<Figures> => {
    await checkPage(one, page)
    await checkIdentity(one)
    return costOf(one, { path: page, bytes: pages[page], size: pages[page], seconds })
  }
}

interface Slice {
  path: string
  bytes: number
  size?: number
  upload?: number
  seconds: number
}

async function costOf(one: Contender, { bytes, ...how }: Slice): Promise<Figures> {
  await saturate(one.running, { ...how, seconds: 1 })
  const { result, used } = await counted(one, () => saturate(one.running, how))
  const { requests, perSecond, p50, p99, failed } = result
  if (requests === 0) throw new Error(`${one.peer.name} ended no request in a round: give it more --seconds`)
  if (failed > 0) throw new Error(`${one.peer.name}: ${failed} of ${requests} requests failed`)
  return {
    'CPU µs': (used / requests) * 1e6,
    'requests/s': perSecond,
    ...(bytes > 100_000 ? { 'MB per CPU s': (requests * bytes) / 1e6 / used } : {}),
    'p50 ms': p50,
    'p99 ms': p99,
    'busy %': Math.min(100, (used / (requests / perSecond)) * 100),
    'memory MB': memory(one),
  }
}

const memory = ({ running: { pids } }: Contender) => pids.reduce((sum, pid) => sum + memoryOf(pid), 0)

/** Seconds of the load before, and times as long as a round of saturation: a slow rate needs more time for as many requests. */
const before = 1
const longer = 1.5

/**
 * Sessions at random, as a process has them that has run for a while: all of them are in its cache, and their assertions
 * are of every age. So the first time each is used once, and then the load goes on for longer than an assertion is sent
 * (30 s); later only for as long as it takes after a pause. Returns the seconds of the load that does not count.
 */
async function settle({ running, lines }: Contender, load: OpenLoop): Promise<number> {
  const { sessions } = running
  if (sessions?.order !== 'random') return before
  if ((lines.rate2000?.rounds.length ?? 0) > 0) return 20
  await load.send(running, { count: sessions.count, order: 'next' })
  return 45
}

function atRate(rateOf: (one: Contender) => number) {
  return async (one: Contender, { load, seconds }: Tools): Promise<Figures> => {
    const { running } = one
    const perSecond = rateOf(one)
    if (!(perSecond > 0)) throw new Error('half needs saturation: name both in --what')
    await checkPage(one, 'small')
    await checkIdentity(one)
    await load.send(running, { perSecond, count: Math.ceil(perSecond * (await settle(one, load))) })
    const count = Math.ceil(perSecond * seconds * longer)
    const { result, used } = await counted(one, () => load.send(running, { perSecond, count }))
    return {
      'CPU µs': (used / result.answered) * 1e6,
      'p50 ms': result.p50,
      'p99 ms': result.p99,
      'requests/s': result.answered / result.seconds,
      'late ms': result.late,
      'memory MB': memory(one),
    }
  }
}

async function counted<T>({ running: { pids } }: Contender, work: () => Promise<T>) {
  const cpu = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
  const from = cpu()
  const result = await work()
  return { result, used: cpu() - from }
}

/** Of parts that need not be exact, so many rounds of all. */
const rough: Partial<Record<What, number>> = { rate500: 2, half: 2, large: 2, upload: 2, websocket: 2 }

export interface How {
  rounds: number
  seconds: number
  parts: readonly What[]
  folder: string
  say(line: string): void
}

/** The parts of a run, and the noise meanwhile. */
export async function measureAll(entrants: Entrant[], how: How): Promise<Pick<Run, 'parts' | 'noise'>> {
  const { rounds, seconds, parts, folder, say } = how
  const desk = await startDesk(folder)
  const load = await startOpenLoop(folder)
  const several = new Set(entrants.flatMap(({ version }) => version ?? [])).size > 1
  const requests = Math.ceil(2000 * rounds * (before + seconds * longer))
  const all: Contender[] = []
  for (const { peer, node, version } of entrants) {
    if (!peer.takes.some(part => parts.includes(part))) continue
    const running = await peer.start({ folder, desk, node, requests })
    const name = version && several ? `${peer.name}, Node ${majorOf(version)}` : peer.name
    const line = () => ({ key: peer.key, name, ...(version ? { node: version } : {}), rounds: [] })
    const lines = Object.fromEntries(parts.filter(part => peer.takes.includes(part)).map(part => [part, line()]))
    all.push({ peer, running, desk, lines })
  }
  // Several times: to begin and to end is something to be learnt.
  for (let time = 0; time < 2; time++) {
    for (const { running } of all) await saturate(running, { path: 'small', seconds: Math.min(2, seconds) })
  }
  const others = watchOthers()
  for (let round = 0; round < rounds; round++) {
    for (const part of parts.filter(part => round < (rough[part] ?? rounds))) {
      say(`round ${round + 1} of ${rounds}: ${measures[part].title}`)
      // Nobody is always the first or the last.
      for (const [index] of all.entries()) {
        const one = all[(index + round) % all.length] as Contender
        const line = one.lines[part]
        if (!line) continue
        // What the last one has left behind, closing connections above all, is not this one's.
        await pause(200)
        line.rounds.push(await measures[part].of(one, { load, seconds }))
      }
    }
  }
  const share = others()
  for (const { running } of all) await running.stop()
  load.stop()
  await desk.stop()
  const measured = Object.fromEntries(parts.map(part => [part, all.flatMap(({ lines }) => lines[part] ?? [])]))
  return { parts: measured, noise: { others: share, ...noiseOf(measured) } }
}

function noiseOf(parts: Run['parts']): { late: number; spread: number } {
  const rounds = [...(parts.rate2000 ?? []), ...(parts.rate500 ?? [])].flatMap(line => line.rounds)
  const late = medianOf({ key: '', name: '', rounds }, 'late ms')
  const nginx = parts.saturation?.find(({ key }) => key === 'nginx')?.rounds.map(round => round['CPU µs'] ?? 0) ?? []
  return { late: late || 0, spread: nginx.length > 0 ? Math.max(...nginx) / Math.min(...nginx) : 1 }
}
