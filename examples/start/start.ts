// A help desk behind Deskgate by one command: installs what is missing (on Debian, as root), starts the desk, an identity
// provider and the gateway, says who can log in, and ends it all with Ctrl+C.
//   npm run example:NAME [-- --port 8080] [--data FOLDER]

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { install, makeVenv, mayInstall } from '../../scripts/install-parts.mjs'
import { find, type PartName, parts } from '../../scripts/parts.mjs'
import { choosePorts } from '../../src/demo/demo.js'
import { people } from '../../src/demo/people.js'
import type { ExampleDesk } from './desk.js'
import { type Ports, startGateway, usual } from './gateway.js'
import { startIdentityProvider } from './identity-provider.js'

const say = (text: string) => void process.stdout.write(`${text}\n`)
const complain = (text: string) => void process.stderr.write(`${text}\n`)

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { port: { type: 'string', default: String(usual.gateway) }, data: { type: 'string' } },
  })
  const [name = ''] = positionals
  const folder = join(import.meta.dirname, '..', name)
  const { desk } = (await import(join(folder, 'desk.ts'))) as { desk: ExampleDesk }
  if (!provide(desk.parts)) {
    process.exitCode = 1
    return
  }
  await runAll({ name, folder, desk, data: resolve(values.data ?? join(folder, 'data')) }, Number(values.port))
}

/** Sees to what the desk needs; false when it is not there in the end. */
function provide(needed: PartName[]): boolean {
  const missing = () => parts.filter(part => needed.includes(part.name) && find(part.name) === undefined)
  // A part that a variable names is the caller's to fix.
  const installable = missing().filter(part => !process.env[part.variable])
  if (installable.length > 0 && mayInstall()) install(installable, text => process.stdout.write(text))
  for (const part of installable.filter(part => part.pip)) {
    say(`fetching ${part.pip?.join(', ')}`)
    const problem = makeVenv(part)
    if (problem) complain(problem)
  }
  for (const part of missing()) {
    complain(`missing: ${part.name}. As root: apt-get install --no-install-recommends ${part.packages.join(' ')}`)
  }
  return missing().length === 0
}

/** Those of the files, or the next free ones from `first` on. Throws when `first` is taken. */
async function portsFrom(first: number): Promise<Ports> {
  const [gateway, idp, desk] = await choosePorts(first, 'localhost')
  if (first === usual.gateway) return { gateway, idp, desk, ops: usual.ops }
  const [ops] = await choosePorts(0, 'localhost')
  return { gateway, idp, desk, ops }
}

interface Example {
  name: string
  folder: string
  desk: ExampleDesk
  data: string
}

async function runAll({ name, folder, desk, data }: Example, first: number): Promise<void> {
  const ports = await portsFrom(first)
  const publicUrl = `http://localhost:${ports.gateway}`
  const opened: (() => Promise<void>)[] = []
  const signalled = new Promise<void>(done => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
  try {
    const deskFolder = join(data, 'desk')
    await mkdir(deskFolder, { recursive: true, mode: 0o700 })
    const idp = await startIdentityProvider(ports.idp, publicUrl, name)
    opened.push(idp.close)
    say(`starting ${desk.title} (its database is made at the first start)`)
    const running = await desk.start({ folder: deskFolder, port: ports.desk, publicUrl, audience: name })
    opened.push(running.stop)
    const gateway = await startGateway({ example: folder, folder: join(data, 'gateway'), deskFolder, ports, ...idp })
    opened.push(gateway.stop)
    for (const line of welcome(desk.title, ports, gateway.file)) say(line)
    await Promise.race([signalled, fallen(desk.title, running.ended), fallen('the gateway', gateway.ended)])
  } finally {
    for (const stop of opened.reverse()) await stop()
  }
}

async function fallen(name: string, ended: Promise<number | null>): Promise<never> {
  throw new Error(`${name} has ended with ${await ended}`)
}

function welcome(title: string, ports: Ports, file: string): string[] {
  return [
    '',
    `${title} is up behind Deskgate.`,
    '',
    `  Open this                    http://localhost:${ports.gateway}`,
    `  The desk, past the gateway   http://127.0.0.1:${ports.desk}  (it refuses you)`,
    `  The gateway's configuration  ${file}`,
    '',
    'People to log in as, without a password:',
    '',
    ...people.map(
      ({ name, email, agentId }) => `  ${name.padEnd(14)}${email.padEnd(22)}${agentId ? 'agent' : 'no agent'}`,
    ),
    '',
    'It ends with Ctrl+C; the tickets stay.',
    '',
  ]
}

main().catch((error: Error) => {
  complain(error.message)
  process.exitCode = 1
})
