// What loads a gateway, for a bounded time, on loopback: wrk for as much as it takes, programs/open-loop.ts for so many
// requests a second, and a loop for WebSocket messages.

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { atExit } from '../../test/parts/at-exit.js'
import { otherCores } from './machine.js'
import { compiled, type Running } from './peer.js'
import type { Answers, Plan } from './programs/open-loop.js'

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
  { port, headers }: Running,
  how: { path: string; seconds: number; upload?: number; size?: number },
): Promise<Saturation> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-wrk-'))
  const script = join(folder, 'load.lua')
  const sends = how.upload ? `wrk.method = "POST"\nwrk.body = string.rep("x", ${how.upload})\n` : ''
  await writeFile(script, `${sends}${report}`)
  const parts = Math.max(how.upload ?? 0, how.size ?? 0) > large ? 8 : connections
  const sent = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const args = ['-t1', `-c${parts}`, `-d${how.seconds}s`, '--timeout', '20s', '-s', script, ...sent]
  const text = await wrk([...args, `http://127.0.0.1:${port}/${how.path}`])
  await rm(folder, { recursive: true })
  const [whole = 0, micros = 1, p50 = 0, p99 = 0, failed = 0, bytes = 0] =
    /^counted (.*)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? []
  // A redirect to a login is not a failure to wrk, and no page.
  if (bytes < whole * (how.size ?? 0)) throw new Error(`/${how.path}: ${bytes} bytes in ${whole} answers`)
  const requests = how.size !== undefined && how.size > large ? bytes / how.size : whole
  return { requests, perSecond: requests / (micros / 1e6), p50: p50 / 1000, p99: p99 / 1000, failed }
}

const report = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("counted %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout, summary.bytes))
end
`

async function wrk(args: string[]): Promise<string> {
  const child = spawn('taskset', ['-c', otherCores, 'wrk', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      text += chunk
    })
  }
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`wrk failed: ${text.slice(-2000)}`)
  return text
}

export interface OpenLoop {
  /** So many requests; without `perSecond` as fast as they are answered. Throws as soon as one is not answered with 200. */
  send(running: Running, how: { perSecond?: number; count: number; order?: 'next' }): Promise<Answers>
  stop(): void
}

/** `folder` is the measurement's own. */
export async function startOpenLoop(folder: string): Promise<OpenLoop> {
  const [script = ''] = await compiled(folder, 'open-loop')
  const child: ChildProcess = fork(script, { execArgv: [] })
  const stay = atExit(() => void child.kill())
  execFileSync('taskset', ['-a', '-c', '-p', otherCores, `${child.pid}`], { stdio: 'ignore' })
  // Its waiting for a core would count as the gateway's. Only root may ask for that.
  if (process.getuid?.() === 0) setPriority(child.pid ?? 0, -10)
  return {
    async send({ port, headers, sessions }, { perSecond, count, order = sessions?.order }) {
      const sent = Object.entries({
        Host: `127.0.0.1:${port}`,
        ...headers,
        ...(sessions ? { cookie: '{cookie}' } : {}),
      })
      const head = sent.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const plan: Plan = {
        port,
        request: `GET /small HTTP/1.1\r\n${head}\r\n`,
        ...(sessions ? { cookies: sessions.file } : {}),
        ...(order ? { order } : {}),
        ...(perSecond === undefined ? {} : { perSecond }),
        count,
      }
      child.send(plan)
      const [answers] = (await once(child, 'message')) as [Answers | { error: string }]
      if ('error' in answers) throw new Error(`port ${port}: ${answers.error}`)
      return answers
    },
    stop() {
      stay()
      child.kill()
    },
  }
}

/** How many WebSocket messages of 64 bytes come back within `seconds`; each connection sends the next one then. */
export async function echoes({ port, headers }: Running, seconds: number): Promise<number> {
  const message = Buffer.alloc(64, 'x')
  let count = 0
  const open = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers, perMessageDeflate: false })
      await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
      socket.on('message', data => {
        if (!message.equals(data as Buffer)) throw new Error('another message came back')
        count++
        socket.send(message)
      })
      return socket
    }),
  )
  for (const socket of open) socket.send(message)
  await pause(seconds * 1000)
  const seen = count
  for (const socket of open) socket.terminate()
  return seen
}
