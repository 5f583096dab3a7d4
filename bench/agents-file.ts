// A changed agents file under load: 300 requests a second of one agent through the built gateway, first in quiet, then
// while one line of the file changes again and again; and how long a start takes with agents and without.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../src/runtime/clock.js'
import { writeConfiguration } from '../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../test/parts/identity-provider.js'
import { freePort } from '../test/parts/ports.js'
import { createUserAgent } from '../test/parts/user-agent.js'
import { email, startDesk } from './proxy/desk.js'
import { startOpenLoop } from './proxy/load.js'
import { gatewayCore, memoryOf } from './proxy/machine.js'
import { startProgram } from './proxy/peer.js'

const main = join(import.meta.dirname, '../dist/main.js')
const publicUrl = 'https://desk.example.com'
const perSecond = 300
/** Milliseconds between two changes: each is read twice before it is used. */
const changeEvery = 3000

const listOf = (count: number, round = 0) =>
  Array.from({ length: count }, (_, i) => {
    const name = i === 0 ? email : `agent.number.${i}@example.com`
    return `- { email: ${name}, id: "${i}", name: Agent ${i === 7 ? `Round ${round}` : `Number ${i}`}, roles: [agent] }\n`
  }).join('')

async function start(agents: number, deskPort: number) {
  const port = await freePort()
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const source = agents > 0 ? { file: 'agents.yaml' } : { domains: ['example.com'] }
  const { file } = await writeConfiguration({
    publicUrl,
    listen: `127.0.0.1:${port}`,
    ops: { listen: '127.0.0.1:0' },
    secrets: ['a secret of the measurement, more than 32 bytes'],
    log: { level: 'info', access: false },
    audit: { to: '/dev/null' },
    desk: { url: `http://127.0.0.1:${deskPort}` },
    providers: [idp.settings.portal],
    agents: [source],
  })
  const list = join(dirname(file), 'agents.yaml')
  await writeFile(list, listOf(agents))
  const from = performance.now()
  const program = await startProgram(process.execPath, [main, 'serve', '--config', file], { port, cores: gatewayCore })
  return { ...program, idp, port, list, ms: performance.now() - from }
}

export interface AgentsFileFigures {
  /** Milliseconds. */
  quiet: { p99: number; longest: number }
  changing: { p99: number; longest: number }
  megabytes: { none: number; agents: number }
  startMs: { none: number; agents: number }
}

/** The median of three: `process.execPath` listens. */
async function startTimes(agents: number, deskPort: number) {
  const found: { ms: number; megabytes: number }[] = []
  for (let i = 0; i < 3; i++) {
    const program = await start(agents, deskPort)
    await new Promise(done => setTimeout(done, 3000))
    found.push({ ms: program.ms, megabytes: memoryOf(program.pid) })
    await program.stop()
  }
  const median = (of: (one: (typeof found)[number]) => number) => found.map(of).sort((a, b) => a - b)[1] ?? 0
  return { ms: median(one => one.ms), megabytes: median(one => one.megabytes) }
}

export async function measureAgentsFile(agents: number, seconds: number): Promise<AgentsFileFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-agents-bench-'))
  // nginx reads it as another user.
  await chmod(folder, 0o755)
  const desk = await startDesk(folder)
  const load = await startOpenLoop(folder)
  try {
    const [none, ten] = [await startTimes(0, desk.agentPort), await startTimes(10_000, desk.agentPort)]
    const gateway = await start(agents, desk.agentPort)
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    await logIn(agent, gateway.idp, { way: 'portal', email })
    const running = {
      port: gateway.port,
      pids: [gateway.pid],
      headers: { Host: 'desk.example.com', cookie: agent.cookieHeader('/') },
      stop: gateway.stop,
    }
    const send = () => load.send(running, { perSecond, count: perSecond * seconds })
    await load.send(running, { perSecond, count: perSecond * 3 })
    const quiet = await send()
    let round = 0
    const changes = setInterval(() => void writeFile(gateway.list, listOf(agents, ++round)), changeEvery)
    const changing = await send()
    clearInterval(changes)
    const megabytes = memoryOf(gateway.pid)
    await gateway.stop()
    return {
      quiet,
      changing,
      megabytes: { none: none.megabytes, agents: megabytes },
      startMs: { none: none.ms, agents: ten.ms },
    }
  } finally {
    load.stop()
    await desk.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
