// Request Tracker behind Deskgate by one command: installs what is missing (on Debian, as root), starts RT, an identity
// provider and the gateway, says who can log in, and ends it all with Ctrl+C.
//   npm run example:request-tracker [-- --port 8080] [--data FOLDER]

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { install, mayInstall } from '../../scripts/apt.mjs'
import { find, type PartName, parts } from '../../scripts/parts.mjs'
import { choosePorts } from '../../src/demo/demo.js'
import { people } from '../../src/demo/people.js'
import { type Ports, startGateway, usual } from './gateway.js'
import { startIdentityProvider } from './identity-provider.js'
import { startRequestTracker } from './request-tracker.js'

const needed: PartName[] = ['request-tracker', 'crypt-jwt']
const say = (text: string) => void process.stdout.write(`${text}\n`)
const complain = (text: string) => void process.stderr.write(`${text}\n`)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(usual.gateway) },
      data: { type: 'string', default: join(import.meta.dirname, 'data') },
    },
  })
  if (!provide()) {
    process.exitCode = 1
    return
  }
  await runAll(await portsFrom(Number(values.port)), resolve(values.data))
}

/** Sees to Request Tracker; false when it is not there in the end. */
function provide(): boolean {
  const missing = () => parts.filter(part => needed.includes(part.name) && find(part.name) === undefined)
  // A part that a variable names is the caller's to fix.
  const installable = missing().filter(part => !process.env[part.variable])
  if (installable.length > 0 && mayInstall()) install(installable, text => process.stdout.write(text))
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

async function runAll(ports: Ports, data: string): Promise<void> {
  const publicUrl = `http://localhost:${ports.gateway}`
  const opened: (() => Promise<void>)[] = []
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      for (const stop of opened.reverse()) await stop()
    })()
    return closing
  }
  const signalled = new Promise<void>(done => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
  try {
    await mkdir(data, { recursive: true, mode: 0o700 })
    const idp = await startIdentityProvider(ports.idp, publicUrl)
    opened.push(idp.close)
    say('starting Request Tracker (its database is made at the first start)')
    const folder = join(data, 'rt')
    const desk = await startRequestTracker({ folder, port: ports.desk, publicUrl, audience: 'request-tracker' })
    opened.push(desk.stop)
    const gateway = await startGateway({
      folder: join(data, 'gateway'),
      ports,
      token: join(folder, 'directory-token'),
      ...idp,
    })
    opened.push(gateway.stop)
    for (const line of welcome(ports, gateway.file)) say(line)
    await Promise.race([signalled, fallen('Request Tracker', desk.ended), fallen('the gateway', gateway.ended)])
  } finally {
    await close()
  }
}

async function fallen(name: string, ended: Promise<number | null>): Promise<never> {
  throw new Error(`${name} has ended with ${await ended}`)
}

function welcome(ports: Ports, file: string): string[] {
  const url = `http://localhost:${ports.gateway}`
  return [
    '',
    'Request Tracker is up behind Deskgate.',
    '',
    `  Open this                          ${url}`,
    `  Request Tracker, past the gateway  http://127.0.0.1:${ports.desk}  (it refuses you)`,
    `  The gateway's configuration        ${file}`,
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
