// What loads a gateway: wrk for as much as it takes, h2load for so many requests a second. Both are Debian packages, both
// for a bounded time, on loopback.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quantile } from '../../test/parts/load.js'
import { otherCores } from './machine.js'

export interface Aim {
  url: string
  /** Sent with each request. */
  headers: Record<string, string>
}

export interface Saturation {
  /** With a large `size`, the parts of answers that were under way at the end are counted as well. */
  requests: number
  perSecond: number
  /** Milliseconds. wrk asks again only when it has been answered: these are the times of a queue of its own making. */
  p50: number
  p99: number
  /** Answers that are not 2xx or 3xx, and broken connections. */
  failed: number
}

const connections = 64
/** Bytes of a body beside which a head is nothing. */
const large = 1024 * 1024

/** `upload`: bytes that each request sends; `size`: bytes that each answer holds at least, else it throws. */
export async function saturate(
  aim: Aim,
  how: { seconds: number; upload?: number; size?: number },
): Promise<Saturation> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-wrk-'))
  const script = join(folder, 'load.lua')
  const sends = how.upload ? `wrk.method = "POST"\nwrk.body = string.rep("x", ${how.upload})\n` : ''
  await writeFile(script, `${sends}${report}`)
  const parts = how.upload || aim.url.includes('large') ? 8 : connections
  const args = ['-t1', `-c${parts}`, `-d${how.seconds}s`, '--timeout', '20s', '-s', script, ...headersOf(aim), aim.url]
  const text = await output('wrk', args)
  await rm(folder, { recursive: true })
  const [whole = 0, micros = 1, p50 = 0, p99 = 0, failed = 0, bytes = 0] =
    /^counted (.*)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? []
  // A redirect to a login is not a failure to wrk, and no page.
  if (bytes < whole * (how.size ?? 0)) throw new Error(`${aim.url}: ${bytes} bytes in ${whole} answers`)
  const requests = how.size !== undefined && how.size > large ? bytes / how.size : whole
  return { requests, perSecond: requests / (micros / 1e6), p50: p50 / 1000, p99: p99 / 1000, failed }
}

const report = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("counted %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout, summary.bytes))
end
`

export interface Steady {
  /** Milliseconds. */
  p50: number
  p99: number
  /** Requests a second that were sent indeed. */
  reached: number
  /** The share of answers that came after the next request of their connection was due. */
  late: number
}

/**
 * Waiting times while `perSecond` requests are sent. h2load lets each connection send one every so often, and begins all
 * of them at once: they would come in bursts of 64 for ever, and what is measured would be the place in that queue. So
 * they are opened one after the other, at such a distance that requests come evenly, and only `seconds` count, which begin
 * a second later, when all are open. A request that is due before the last answer on its connection waits for it, and
 * h2load does not count that wait: `late` says of how many requests this can be true. While it is under one in a hundred,
 * p99 hardly depends on it.
 */
export async function steady(aim: Aim, how: { seconds: number; perSecond: number }): Promise<Steady> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-h2load-'))
  const log = join(folder, 'log')
  const { rate, distance } = evenly(how.perSecond)
  const before = 1
  const count = rate * connections * (before + how.seconds)
  const text = await output('h2load', [
    ...['--h1', '-c', `${connections}`, '-n', `${count}`, `--rps=${rate}`, `--log-file=${log}`],
    ...['-r', '1', '--rate-period', `${distance}ms`],
    ...[...headersOf({ ...aim, headers: asH2loadNames(aim.headers) }), aim.url],
  ])
  if (!text.includes(` ${count} succeeded, 0 failed`)) throw new Error(`${aim.url}: ${text.slice(-2000)}`)
  // Each line: when it began (microseconds), its status, how many microseconds it took.
  const lines = (await readFile(log, 'utf8'))
    .trim()
    .split('\n')
    .map(line => line.split('\t').map(Number))
  await rm(folder, { recursive: true })
  const first = lines.reduce((least, [at = 0]) => Math.min(least, at), Number.POSITIVE_INFINITY)
  const [from, to] = [first + before * 1e6, first + (before + how.seconds) * 1e6]
  const counted = lines.filter(([at = 0]) => at >= from && at < to)
  const took = counted.map(([, , micros = 0]) => micros / 1000)
  return {
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    reached: counted.length / ((to - from) / 1e6),
    late: took.filter(ms => ms > 1000 / rate).length / took.length,
  }
}

/** The rate of each connection, near what is asked for, and the milliseconds between two openings, that spread them best. */
function evenly(perSecond: number): { rate: number; distance: number } {
  const asked = Math.max(1, Math.round(perSecond / connections))
  let best = { rate: asked, distance: 1, gap: 2 }
  for (let rate = Math.ceil(asked * 0.98); rate <= asked * 1.02; rate++) {
    for (let distance = 1; distance <= 8; distance++) {
      const at = Array.from({ length: connections }, (_, index) => ((index * distance * rate) / 1000) % 1).sort(
        (a, b) => a - b,
      )
      const gap = Math.max(...at.map((phase, index) => (at[index + 1] ?? 1 + (at[0] ?? 0)) - phase))
      if (gap < best.gap) best = { rate, distance, gap }
    }
  }
  return best
}

/** h2load writes a Host of its own beside one that is given: two of them are refused, and nothing is measured but that. */
function asH2loadNames({ Host, ...headers }: Aim['headers']): Aim['headers'] {
  return Host === undefined ? headers : { ...headers, ':authority': Host }
}

function headersOf(aim: Aim): string[] {
  return Object.entries(aim.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
}

async function output(command: string, args: string[]): Promise<string> {
  const child = spawn('taskset', ['-c', otherCores, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      text += chunk
    })
  }
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`${command} failed: ${text.slice(-2000)}`)
  return text
}
