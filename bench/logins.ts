// How much logins hold up requests: 300 proxied requests a second, quiet and beside 20 SAML logins a second whose responses
// were signed beforehand; with the pool of threads and without. On loopback, for a bounded time; prints a table.
//   npx tsx bench/logins.ts [--runs 5] [--seconds 10] [--only pool|loop]

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/runtime/clock.js'
import { atExit } from '../test/parts/at-exit.js'
import { startDesk } from '../test/parts/desk.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { type Answer, createIdentityProvider, type IdentityProvider } from '../test/parts/identity-provider.js'
import { quantile, startLoad } from '../test/parts/load.js'
import { createUserAgent, type UserAgent } from '../test/parts/user-agent.js'

type How = 'pool' | 'loop'

const publicUrl = 'https://desk.example.com'
const requests = 300
const logins = 20

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
})
const runs = Math.min(20, Number(values.runs))
const seconds = Math.min(60, Number(values.seconds))
const ways: How[] = values.only === 'pool' || values.only === 'loop' ? [values.only] : ['pool', 'loop']

const say = (line: string) => process.stdout.write(`${line}\n`)
const median = (numbers: number[]) => quantile(numbers, 0.5)
const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(10)

interface Run {
  quiet: number
  busy: number
  login: number
  failed: number
}

const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const desk = await startDesk()
desk.onRequest((_request, response) => {
  desk.seen.length = 0
  response.end('hello')
})

/** The gateway's own process and its port. */
async function launch(how: How) {
  const { folder, file } = await writeConfiguration(
    {
      publicUrl,
      listen: '127.0.0.1:0',
      ops: { listen: '127.0.0.1:0' },
      log: { level: 'info', access: false },
      audit: { to: '/dev/null' },
      desk: { url: desk.url },
      providers: [idp.settings.corp],
      agents: [{ domains: ['example.com'] }],
    },
    { 'idp.crt': idp.certificate },
  )
  const script = join(import.meta.dirname, 'logins-gateway.ts')
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, file, how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  atExit(() => void child.kill('SIGKILL'))
  for await (const line of createInterface(child.stdout)) {
    const { msg, url } = JSON.parse(line) as { msg?: string; url?: string }
    if (msg === 'listening' && url) return { child, url, folder }
  }
  throw new Error('the gateway has ended')
}

interface Prepared {
  agent: UserAgent
  answer: Answer
}

async function prepare(idp: IdentityProvider, port: number, count: number): Promise<Prepared[]> {
  const prepared: Prepared[] = []
  for (let index = 0; index < count; index++) {
    const agent = createUserAgent(publicUrl, { port })
    const { location } = await agent.visit('/auth/login/corp?return_to=/')
    prepared.push({ agent, answer: idp.saml(`agent${index}@example.com`, location) })
  }
  return prepared
}

async function handOver({ agent, answer }: Prepared, took: number[]): Promise<boolean> {
  const began = performance.now()
  const { status } = await agent.postCrossSite(answer.path, answer.fields)
  took.push(performance.now() - began)
  return status === 303
}

async function measure(url: string): Promise<Run> {
  const port = Number(new URL(url).port)
  const prepared = await prepare(idp, port, logins * seconds + 10)
  const took: number[] = []
  // Warm, as a gateway is that has been running for a while.
  const [first, ...others] = prepared.splice(0, 10)
  for (const one of others) await handOver(one, [])
  if (!first || !(await handOver(first, []))) throw new Error('the login failed')
  const headers = { host: 'desk.example.com', cookie: first.agent.cookieHeader('/') }
  const under = async (body: () => Promise<void>) => {
    const load = startLoad({ origin: url, path: '/tickets', headers, perSecond: requests })
    await body()
    await load.stop()
    return load
  }
  const quiet = await under(() => pause(seconds * 1000))
  const open: Promise<boolean>[] = []
  const busy = await under(async () => {
    const began = performance.now()
    for (const [index, one] of prepared.entries()) {
      await pause(Math.max(0, began + (index * 1000) / logins - performance.now()))
      open.push(handOver(one, took))
    }
  })
  const failed = (await Promise.all(open)).filter(ok => !ok).length + quiet.failures.length + busy.failures.length
  return { quiet: quantile(quiet.times, 0.99), busy: quantile(busy.times, 0.99), login: quantile(took, 0.99), failed }
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

say(`${requests} requests and ${logins} SAML logins a second, ${seconds} s each, ${runs} runs; p99`)
say('how    run        quiet  with logins  of a login  failed')
for (const how of ways) {
  const { child, url, folder } = await launch(how)
  const all: Run[] = []
  for (let run = 1; run <= runs; run++) {
    const one = await measure(url)
    all.push(one)
    say(`${how}  ${String(run).padStart(4)}  ${ms(one.quiet)}   ${ms(one.busy)}  ${ms(one.login)}  ${one.failed}`)
  }
  const [quiet, busy] = [median(all.map(one => one.quiet)), median(all.map(one => one.busy))]
  const bound = Math.max(3 * quiet, 25)
  const verdict = busy < bound ? 'under' : 'OVER'
  say(
    `${how}  median ${ms(quiet)}  ${ms(busy)}   ${verdict} the larger of 3 times quiet and 25 ms (${bound.toFixed(1)} ms)`,
  )
  await end(child)
  await rm(folder, { recursive: true, force: true })
}
await desk.close()
