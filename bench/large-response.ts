// What a large SAML response costs the event loop: CPU time of the gateway's main thread from the first byte of a posted
// response of 257 kB to the answer. An unsigned one is read, scanned and refused; a signed one is also verified, in other
// threads, and logs in; a small signed one shows what of that is the login. They go to this build and to that of another
// checkout in turn.
//   npx tsx bench/large-response.ts --before DIR [--rounds 40]
// DIR: another checkout, built. Linux only.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/runtime/clock.js'
import { startDesk } from '../test/parts/desk.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { createIdentityProvider } from '../test/parts/identity-provider.js'
import { quantile } from '../test/parts/load.js'
import { freePort } from '../test/parts/ports.js'
import { createUserAgent } from '../test/parts/user-agent.js'
import { startProgram } from './proxy/peer.js'

const { values } = parseArgs({
  options: { before: { type: 'string' }, rounds: { type: 'string', default: '40' } },
})
const { before } = values
if (before === undefined) throw new Error('--before: the folder of another checkout, built')
const rounds = Math.min(200, Number(values.rounds))
const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const desk = await startDesk()
/** Groups that the gateway does not use, as a directory with many of them sends. */
const group = 'CN=Staff of the branch office,OU=Groups,DC=example,DC=com'
const memberOf = (count: number) => [{ name: 'memberOf', values: Array<string>(count).fill(group) }]

/** What is signed, the status of the answer, and the characters of the base64 that is posted. */
const kinds = {
  unsigned: ['none', 400, 257_000],
  signed: ['both', 303, 257_000],
  small: ['both', 303, 12_000],
} as const
type Kind = keyof typeof kinds
const names = Object.keys(kinds) as Kind[]

/** Posts a response of about that size; the milliseconds that the main thread worked on it. */
async function post({ port, pid }: { port: number; pid: number }, kind: Kind, index: number): Promise<number> {
  const [sign, expected, size] = kinds[kind]
  const agent = createUserAgent(publicUrl, { port })
  const { location } = await agent.visit('/auth/login/corp?return_to=/')
  const answer = (count: number) =>
    idp.saml(`agent${index}@example.com`, location, { sign, plan: { attributes: memberOf(count) } })
  const length = (count: number) => answer(count).fields.SAMLResponse?.length ?? 0
  const each = (length(200) - length(100)) / 100
  const { path, fields } = answer(Math.floor((size - length(100)) / each) + 100)
  if (Math.abs((fields.SAMLResponse?.length ?? 0) - size) > 1000) throw new Error('the response has another size')
  const from = mainThread(pid)
  const { status } = await agent.postCrossSite(path, fields)
  if (status !== expected) throw new Error(`${kind}: the gateway answered ${status}`)
  return mainThread(pid) - from
}

/** Milliseconds of CPU time of the main thread, as the scheduler counts them. */
function mainThread(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
}

async function start(folder: string) {
  const port = await freePort()
  const settings = {
    publicUrl,
    listen: `127.0.0.1:${port}`,
    ops: { listen: '127.0.0.1:0' },
    log: { level: 'info', access: false },
    audit: { to: '/dev/null' },
    limits: { logins: '100000/m' },
    desk: { url: desk.url },
    providers: [idp.settings.corp],
    agents: [{ domains: ['example.com'] }],
  }
  const { file } = await writeConfiguration(settings, { 'idp.crt': idp.certificate })
  const main = join(folder, 'dist/main.js')
  const { pid, stop } = await startProgram(process.execPath, [main, 'serve', '--config', file], { port, cores: '0' })
  return { port, pid, stop, took: { unsigned: [] as number[], signed: [] as number[], small: [] as number[] } }
}

// Whoever ends this ends what it has started.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
const [now, other] = [await start(join(import.meta.dirname, '..')), await start(before)]
for (let round = -10; round < rounds; round++) {
  for (const kind of names) {
    for (const gateway of round % 2 ? [now, other] : [other, now]) {
      const ms = await post(gateway, kind, round + 10)
      if (round >= 0) gateway.took[kind].push(ms)
    }
  }
}
for (const { stop } of [now, other]) await stop()
await desk.close()
const spread = (list: number[]) => {
  const [low, middle, high] = [0.25, 0.5, 0.75].map(at => quantile(list, at).toFixed(2))
  return `${middle} (${low} to ${high})`
}
process.stdout.write(`Node ${process.versions.node}, ${rounds} of each, medians and quartiles, ms on the event loop\n`)
for (const kind of names) {
  const ratios = now.took[kind].map((ms, round) => ms / (other.took[kind][round] ?? Number.NaN))
  process.stdout.write(
    `${kind}: now ${spread(now.took[kind])}, before ${spread(other.took[kind])}; ratio ${spread(ratios)}\n`,
  )
}
// What the size itself costs: without the rest of a login, which the small one has too.
const size = (took: Record<Kind, number[]>) => took.signed.map((ms, round) => ms - (took.small[round] ?? Number.NaN))
const [large, was] = [size(now.took), size(other.took)]
process.stdout.write(`signed less small: now ${spread(large)}, before ${spread(was)}\n`)
