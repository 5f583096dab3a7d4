// What is measured, one after the other: small pages, larger ones, uploads, waiting times at a fixed rate, WebSocket.

import { request } from 'node:http'
import { pages } from './desk.js'
import { deskgateEcho } from './deskgate.js'
import { saturate, steady } from './load.js'
import { cpuOf, memoryOf } from './machine.js'
import type { Peer, Running, Surroundings } from './peer.js'
import { echoes } from './sockets.js'

export interface Measure {
  title: string
  takes(peer: Peer): boolean
  start(peer: Peer, around: Surroundings): Promise<Running>
  /** Once, when all have been started. */
  prepare?(running: [Peer, Running][]): Promise<void>
  /** Names of columns and their values. */
  round(running: Running, seconds: number): Promise<Record<string, number>>
}

const start: Measure['start'] = (peer, around) => peer.start(around)
const everybody = () => true
const upload = 10 * 1024 * 1024

export const measures: Record<string, Measure> = {
  small: { title: 'pages of 1 KiB', takes: everybody, start, round: pagesOf('small') },
  medium: { title: 'pages of 64 KiB', takes: everybody, start, round: pagesOf('medium') },
  large: { title: 'downloads of 10 MiB', takes: everybody, start, round: pagesOf('large') },
  upload: {
    title: 'uploads of 10 MiB',
    takes: everybody,
    start,
    async round(running, seconds) {
      const aim = { url: `http://127.0.0.1:${running.port}/upload`, headers: running.headers }
      return costOf(running, upload, () => saturate(aim, { seconds, upload }))
    },
  },
  steady: halfLoad(),
  websocket: {
    title: 'messages of 64 bytes, echoed, 64 connections',
    takes: ({ key }) => ['nginx', 'http-proxy', 'deskgate'].includes(key),
    start: (peer, around) => (peer.key === 'deskgate' ? deskgateEcho : peer).start(around),
    async round(running, seconds) {
      const before = cpu(running)
      const messages = await echoes(running, seconds)
      return { 'CPU µs': ((cpu(running) - before) / messages) * 1e6, 'messages/s': messages / seconds }
    },
  },
}

/** Waiting times at half of what Deskgate takes: where gateways are run, not where they give way. */
function halfLoad(): Measure {
  let perSecond = 1000
  const aimOf = ({ port, headers }: Running) => ({ url: `http://127.0.0.1:${port}/small`, headers })
  return {
    title: "pages of 1 KiB at half of Deskgate's most",
    takes: everybody,
    start,
    async prepare(running) {
      const own = running.find(([{ key }]) => key === 'deskgate')
      if (own) perSecond = (await saturate(aimOf(own[1]), { seconds: 3 })).perSecond / 2
    },
    async round(running, seconds) {
      const { p50, p99 } = await steady(aimOf(running), { seconds, perSecond })
      return { 'p99 ms': p99, 'p50 ms': p50, 'requests/s': perSecond }
    },
  }
}

function pagesOf(page: keyof typeof pages): Measure['round'] {
  return async (running, seconds) => {
    const aim = { url: `http://127.0.0.1:${running.port}/${page}`, headers: running.headers }
    await check(aim.url, running.headers, pages[page])
    const cost = await costOf(running, pages[page], () => saturate(aim, { seconds }))
    await check(aim.url, running.headers, pages[page])
    return cost
  }
}

async function costOf(running: Running, bytes: number, load: () => ReturnType<typeof saturate>) {
  const before = cpu(running)
  const { requests, perSecond, p50, p99, failed } = await load()
  if (failed > 0 || requests === 0) throw new Error(`${failed} of ${requests} requests failed`)
  const seconds = cpu(running) - before
  return {
    'CPU µs': (seconds / requests) * 1e6,
    'requests/s': perSecond,
    ...(bytes > 100_000 ? { 'MB per CPU s': (requests * bytes) / 1e6 / seconds } : {}),
    'p50 ms': p50,
    'p99 ms': p99,
    'memory MB': running.pids.reduce((sum, pid) => sum + memoryOf(pid), 0),
  }
}

function cpu({ pids }: Running): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}

/** A gateway that answers with something else is not measured. */
function check(url: string, headers: Record<string, string>, size: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, response => {
      let length = 0
      response.on('data', chunk => {
        length += chunk.length
      })
      response.on('end', () => {
        if (response.statusCode === 200 && length === size) resolve()
        else reject(new Error(`${url} answered ${response.statusCode} with ${length} bytes`))
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}
