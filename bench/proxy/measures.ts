// What is measured, one after the other: small pages, larger ones, uploads, waiting times at a fixed rate, WebSocket.

import { type Contestant, checkIdentity, checkPage, checkSocket, checkUpload, urlOf } from './check.js'
import { pages } from './desk.js'
import { deskgateEcho } from './deskgate.js'
import { saturate, steady } from './load.js'
import { cpuOf, memoryOf } from './machine.js'
import type { Peer, Running, Surroundings } from './peer.js'
import { echoes } from './sockets.js'

export const whats = ['small', 'medium', 'large', 'upload', 'steady', 'websocket'] as const
export type What = (typeof whats)[number]

export interface Measure {
  title: string
  /** A third as many rounds: what is compared here does not come down to a tenth. */
  rough?: true
  takes(peer: Peer): boolean
  start(peer: Peer, around: Surroundings): Promise<Running>
  /** Once, when all have been started and are warm. Returns what the table should say. */
  prepare?(all: Contestant[]): Promise<string>
  /** Not counted: a program that compiles while it runs is not yet what it will be. */
  warm(one: Contestant, seconds: number): Promise<unknown>
  /** Names of figures and their values; the first is what is compared. */
  round(one: Contestant, seconds: number): Promise<Record<string, number>>
}

const start: Measure['start'] = (peer, around) => peer.start(around)
const everybody = () => true
const uploaded = 10 * 1024 * 1024

export const measures: Record<What, Measure> = {
  small: pagesOf('small', 'pages of 1 KiB'),
  medium: pagesOf('medium', 'pages of 64 KiB'),
  large: pagesOf('large', 'downloads of 10 MiB'),
  upload: {
    title: 'uploads of 10 MiB',
    rough: true,
    takes: everybody,
    start,
    warm: (one, seconds) => saturate(aimOf(one, 'upload'), { seconds, upload: uploaded }),
    async round(one, seconds) {
      await checkUpload(one, uploaded)
      await checkIdentity(one)
      const load = (seconds: number) => saturate(aimOf(one, 'upload'), { seconds, upload: uploaded })
      return costOf(one, { bytes: uploaded, seconds, load })
    },
  },
  steady: halfLoad(),
  websocket: {
    title: 'messages of 64 bytes, echoed, 64 connections',
    takes: ({ key }) => ['nginx', 'http-proxy', 'deskgate'].includes(key),
    start: (peer, around) => (peer.key === 'deskgate' ? deskgateEcho : peer).start(around),
    warm: ({ running }, seconds) => echoes(running, seconds),
    async round(one, seconds) {
      await checkSocket(one)
      const before = cpu(one)
      const messages = await echoes(one.running, seconds)
      const used = cpu(one) - before
      const figures = { 'CPU µs': (used / messages) * 1e6, 'messages/s': messages / seconds }
      return { ...figures, 'busy %': (used / seconds) * 100 }
    },
  },
}

/** Waiting times at half of what Deskgate takes: where gateways are run, not where they give way. */
function halfLoad(): Measure {
  let perSecond = 1000
  return {
    title: "pages of 1 KiB at half of Deskgate's most",
    rough: true,
    takes: everybody,
    start,
    warm: (one, seconds) => saturate(aimOf(one, 'small'), { seconds }),
    async prepare(all) {
      const own = all.find(({ peer }) => peer.key === 'deskgate')
      if (!own) return `no Deskgate takes part: ${perSecond} requests a second`
      const most = (await saturate(aimOf(own, 'small'), { seconds: 4 })).perSecond
      perSecond = most / 2
      return `Deskgate takes ${most.toFixed()} requests a second, so everybody gets ${perSecond.toFixed()}`
    },
    async round(one, seconds) {
      await checkPage(one, 'small')
      await checkIdentity(one)
      const { p50, p99, reached, late } = await steady(aimOf(one, 'small'), { seconds, perSecond })
      return { 'p99 ms': p99, 'p50 ms': p50, 'requests/s': reached, 'late %': late * 100 }
    },
  }
}

function pagesOf(page: keyof typeof pages, title: string): Measure {
  return {
    title,
    ...(page === 'small' ? {} : { rough: true }),
    takes: everybody,
    start,
    warm: (one, seconds) => saturate(aimOf(one, page), { seconds }),
    async round(one, seconds) {
      await checkPage(one, page)
      await checkIdentity(one)
      const load = (seconds: number) => saturate(aimOf(one, page), { seconds, size: pages[page] })
      const cost = await costOf(one, { bytes: pages[page], seconds, load })
      await checkPage(one, page)
      return cost
    },
  }
}

const aimOf = (one: Contestant, path: string) => ({ url: urlOf(one, path), headers: one.running.headers })

interface Slice {
  bytes: number
  seconds: number
  load(seconds: number): ReturnType<typeof saturate>
}

/** Seconds of load before each round. */
export const again = 2

async function costOf(one: Contestant, { bytes, seconds, load }: Slice) {
  // It has been idle while the others were measured: V8 shrinks what is idle, and compiles it again.
  await load(again)
  const before = cpu(one)
  const { requests, perSecond, p50, p99, failed } = await load(seconds)
  const used = cpu(one) - before
  if (requests === 0) throw new Error(`${one.peer.name} ended no request in a round: give it more --seconds`)
  if (failed > 0) throw new Error(`${one.peer.name}: ${failed} of ${requests} requests failed`)
  return {
    'CPU µs': (used / requests) * 1e6,
    'requests/s': perSecond,
    ...(bytes > 100_000 ? { 'MB per CPU s': (requests * bytes) / 1e6 / used } : {}),
    'p50 ms': p50,
    'p99 ms': p99,
    'busy %': Math.min(100, (used / (requests / perSecond)) * 100),
    'memory MB': one.running.pids.reduce((sum, pid) => sum + memoryOf(pid), 0),
  }
}

function cpu({ running: { pids } }: Contestant): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}
