// What loads a gateway: wrk for as much as it takes, h2load for so many requests a second. Both are Debian packages, both
// for a bounded time, on loopback.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { otherCores } from './machine.js'

export interface Aim {
  url: string
  /** Sent with each request. */
  headers: Record<string, string>
}

export interface Saturation {
  requests: number
  perSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** Answers that are no 2xx or 3xx, and broken connections. */
  failed: number
}

const connections = 64

/** `upload`: bytes that each request sends. */
export async function saturate(aim: Aim, how: { seconds: number; upload?: number }): Promise<Saturation> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-wrk-'))
  const script = join(folder, 'load.lua')
  const sends = how.upload ? `wrk.method = "POST"\nwrk.body = string.rep("x", ${how.upload})\n` : ''
  await writeFile(script, `${sends}${report}`)
  const parts = how.upload || aim.url.includes('large') ? 8 : connections
  const args = ['-t1', `-c${parts}`, `-d${how.seconds}s`, '--timeout', '20s', '-s', script, ...headersOf(aim), aim.url]
  const text = await output('wrk', args)
  await rm(folder, { recursive: true })
  const [requests = 0, micros = 1, p50 = 0, p99 = 0, failed = 0] =
    /^counted (.*)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? []
  return { requests, perSecond: requests / (micros / 1e6), p50: p50 / 1000, p99: p99 / 1000, failed }
}

const report = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("counted %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`

/** Milliseconds at the 99th percentile while `perSecond` requests are sent. */
export async function steady(
  aim: Aim,
  how: { seconds: number; perSecond: number },
): Promise<{ p50: number; p99: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-h2load-'))
  const log = join(folder, 'log')
  const clients = 32
  const rate = Math.max(1, Math.round(how.perSecond / clients))
  const count = rate * clients * how.seconds
  await output('h2load', [
    ...['--h1', '-c', `${clients}`, '-n', `${count}`, `--rps=${rate}`, `--log-file=${log}`],
    ...[...headersOf(aim), aim.url],
  ])
  const lines = (await readFile(log, 'utf8')).trim().split('\n')
  await rm(folder, { recursive: true })
  // Each line: when it began, its status, how many microseconds it took.
  const took = lines.map(line => Number(line.split('\t')[2]) / 1000).sort((a, b) => a - b)
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
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
