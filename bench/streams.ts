// What a gateway must not hold up or hold on to: 2 GB down and up in constant memory, the first event of a stream, and a
// thousand WebSockets for a minute. On loopback, for a bounded time; ends with 1 when a bound is missed.
//   npm run build && npx tsx bench/streams.ts [--gigabytes 2] [--sockets 1000] [--seconds 60] [--node PATH] [--write]
// --write keeps the findings for docs/performance.md.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { quantile } from '../test/parts/load.js'
import { freePort } from '../test/parts/ports.js'
import { startDeskgate } from './proxy/deskgate.js'
import { machine, otherCores, stayOffTheGatewaysCore } from './proxy/machine.js'
import { writePage } from './proxy/page.js'
import { compiled, type Running, startProgram } from './proxy/peer.js'
import { type Finding, results, writeResults } from './proxy/run.js'

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    sockets: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    node: { type: 'string', default: process.execPath },
    write: { type: 'boolean', default: false },
  },
})
const bytes = Math.round(Math.min(4, Number(values.gigabytes)) * 1024 ** 3)
const sockets = Math.min(2000, Number(values.sockets))
const seconds = Math.min(120, Number(values.seconds))
const findings: Finding[] = []

function report(finding: Finding): void {
  const { what, figure, bound, holds } = finding
  findings.push(finding)
  process.stdout.write(`${holds ? 'holds ' : 'MISSED'}  ${what}: ${figure} (bound: ${bound})\n`)
  if (!holds) process.exitCode = 1
}

/** MB of resident memory. */
function resident({ pids: [pid] }: Running): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** How much the memory grows while `work` is done, at the most. */
async function growth(gateway: Running, work: () => Promise<number>): Promise<{ count: number; grown: number }> {
  const before = resident(gateway)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, resident(gateway))
  }, 100)
  const count = await work()
  clearInterval(timer)
  return { count, grown: most - before }
}

/** Bytes that came. */
function download(port: number, headers: Record<string, string>, size: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, path: `/down?bytes=${size}`, headers, agent: false }, response => {
      let count = 0
      response.on('data', chunk => {
        count += chunk.length
      })
      response.on('end', () => resolve(count))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Bytes that Desk says it got. */
function upload(port: number, headers: Record<string, string>, size: number): Promise<number> {
  const piece = Buffer.alloc(64 * 1024, 'x')
  const body = Readable.from(
    (function* () {
      for (let left = size; left > 0; left -= piece.length) {
        yield left >= piece.length ? piece : piece.subarray(0, left)
      }
    })(),
    { objectMode: false },
  )
  return new Promise((resolve, reject) => {
    const more = { ...headers, 'content-length': `${size}`, 'content-type': 'application/octet-stream' }
    const sent = request({ port, path: '/up', method: 'POST', headers: more, agent: false }, response => {
      let text = ''
      response.on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve(Number(text)))
    })
    sent.on('error', reject)
    body.pipe(sent)
  })
}

/** Milliseconds until the first event. */
function firstEvent(port: number, headers: Record<string, string>): Promise<number> {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const sent = request({ port, path: '/events', headers, agent: false }, response => {
      response.once('data', () => {
        resolve(performance.now() - began)
        sent.destroy()
      })
    })
    sent.on('error', error => (sent.destroyed ? undefined : reject(error)))
    sent.end()
  })
}

async function firstEvents(port: number, headers: Record<string, string>): Promise<number> {
  const took: number[] = []
  for (let time = 0; time < 30; time++) took.push(await firstEvent(port, headers))
  return quantile(took, 0.5)
}

/** Each sends a message of its own every second, and gets it back before the next is sent, in its order. */
async function echoForAWhile(port: number, headers: Record<string, string>) {
  const open: WebSocket[] = []
  let [sent, back, wrong, closed] = [0, 0, 0, 0]
  for (let index = 0; index < sockets; index++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers, perMessageDeflate: false })
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
    let expected = 0
    socket.on('message', data => {
      back++
      if (String(data) !== `${index} ${expected++}`) wrong++
    })
    socket.on('close', () => closed++)
    open.push(socket)
  }
  for (let second = 0; second < seconds; second++) {
    const next = performance.now() + 1000
    for (const [index, socket] of open.entries()) {
      socket.send(`${index} ${second}`)
      sent++
    }
    await pause(Math.max(0, next - performance.now()))
  }
  const end = performance.now() + 10_000
  while (back < sent && performance.now() < end) await pause(50)
  const seen = { sent, back, wrong, closed }
  for (const socket of open) socket.terminate()
  return seen
}

const about = machine()
stayOffTheGatewaysCore()
const folder = await mkdtemp(join(tmpdir(), 'deskgate-bench-'))
await chmod(folder, 0o755)
const deskPort = await freePort()
const script = [...(await compiled(folder, 'streams')), `${deskPort}`]
const desk = await startProgram(process.execPath, script, { port: deskPort, cores: otherCores })
const gateway = await startDeskgate({ deskPort, node: values.node })
const { port, headers } = gateway

// Buffers that any work needs are there before the count begins.
await download(port, headers, 64 * 1024 * 1024)
await upload(port, headers, 64 * 1024 * 1024)
for (const [name, work] of [
  ['down', download],
  ['up', upload],
] as const) {
  const { count, grown } = await growth(gateway, () => work(port, headers, bytes))
  const whole = count === bytes ? 'all bytes came' : `${count} of ${bytes} bytes came`
  report({
    what: `${values.gigabytes} GB ${name}`,
    figure: `${whole}, memory (RSS) grew by ${grown.toFixed(1)} MB`,
    bound: 'under 50 MB',
    holds: count === bytes && grown < 50,
  })
}
const [direct, through] = [await firstEvents(deskPort, {}), await firstEvents(port, headers)]
report({
  what: 'the first event of a stream',
  figure: `after ${through.toFixed(2)} ms, ${direct.toFixed(2)} ms without a gateway`,
  bound: 'under 20 ms more',
  holds: through - direct < 20,
})
const { sent, back, wrong, closed } = await echoForAWhile(port, headers)
report({
  what: `${sockets} WebSockets at once for ${seconds} s, a message a second`,
  figure: `${back} of ${sent} messages came back, ${wrong} wrong, ${closed} connections closed`,
  bound: 'none lost',
  holds: back === sent && wrong === 0 && closed === 0,
})

await gateway.stop()
await desk.stop()
await rm(folder, { recursive: true, force: true })
if (values.write) {
  const node = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
  await writeResults(results.streams, { machine: about, node, findings })
  process.stdout.write(`${await writePage()}\n`)
}
