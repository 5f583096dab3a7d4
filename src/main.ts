#!/usr/bin/env node
// The command line: reads argv and the environment, runs one command, and turns how it ends into an exit code.

import { readFileSync } from 'node:fs'
import closeWithGrace, { type Options, type Signals } from 'close-with-grace'
import { Command, CommanderError } from 'commander'
import { breakglass } from './admin/breakglass.js'
import { check } from './admin/check.js'
import { configuration } from './admin/configuration.js'
import { explain } from './admin/explain.js'
import type { ExitCode, Io } from './admin/io.js'
import { generateKey } from './admin/keys.js'
import { printMetadata } from './admin/metadata.js'
import { listSessions, revokeSessions } from './admin/sessions.js'
import { joinCrew, type Link, startCrew, workersOf } from './cluster.js'
import type { Config } from './config/schema/index.js'
import { systemClock, systemRandom } from './core/clock.js'
import { startDemo } from './demo/demo.js'
import { createLog } from './ops/log.js'
import { type Ending, type Server, startServer } from './server.js'

const io: Io = {
  env: process.env,
  out: line => process.stdout.write(`${line}\n`),
  err: line => process.stderr.write(`${line}\n`),
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** Set by commands that end; serve and demo live on. */
function done(code: ExitCode): void {
  process.exitCode = code
}

async function serve(options: { config?: string }): Promise<void> {
  const link = joinCrew(io.env)
  if (link) return work(options, link)
  const config = await configuration(options.config, io)
  if (!config) return done(1)
  const log = createLog(config.log)
  const deps = { clock: systemClock, random: systemRandom, log }
  const count = workersOf(config)
  if (count > 1) return lead(config, { ...deps, count })
  untilSignal(await startServer(config, deps), config.drain)
}

/** The first of several processes. */
function lead({ drain }: Config, deps: { count: number } & Parameters<typeof startServer>[1]): void {
  const crew = startCrew({ ...deps, onHopeless: () => process.exit(1) })
  const kill = () => crew.kill()
  // The workers keep to the drain by themselves; this is for one that cannot any more.
  untilSignal(crew, drain, { delay: atLeast(drain) + 1000, onTimeout: kill, onSecondSignal: kill })
}

/** One of several processes behind the same port. It says nothing that the first one has said. */
async function work(options: { config?: string }, link: Link): Promise<void> {
  let begun: ((serveOn: number) => void) | undefined
  // Told to end before there is anything to end.
  link.onDrain(serveOn => (begun ?? (() => process.exit(0)))(serveOn))
  try {
    const config = await configuration(options.config, io, 'problems')
    if (!config) process.exit(1)
    const log = createLog({ ...config.log, worker: link.number })
    const server = await startServer(config, { clock: systemClock, random: systemRandom, log, ...link })
    let serveOn = 0
    const grace = closeWithGrace({ delay: atLeast(config.drain), logger: false, skip: signals }, async ({ err }) => {
      if (err) sayCrash(err)
      await server.close(endingOf(config.drain, serveOn))
    })
    begun = ms => {
      serveOn = ms
      grace.close()
    }
  } catch (error) {
    io.err(`deskgate: worker ${link.number}: ${(error as Error).message}`)
    // The channel to the first process would keep this one alive.
    process.exit(1)
  }
}

/** Those that the first of several processes hears for all. */
const signals: Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/**
 * A first signal closes in an orderly way within `drain` milliseconds, a second ends at once. SIGTERM comes from what
 * takes this process out of a fleet: a third of the time goes to serving on while balancers notice. SIGINT comes from a
 * person, who does not want to wait for that.
 */
function untilSignal(server: Pick<Server, 'close'>, drain: number, options: Partial<Options> = {}): void {
  closeWithGrace({ delay: atLeast(drain), logger: false, ...options }, async ({ err, signal }) => {
    if (err) sayCrash(err)
    await server.close(endingOf(drain, signal === 'SIGTERM' ? Math.floor(drain / 3) : 0))
  })
}

/** A tenth of the drain is left for closing what is behind the listeners. */
function endingOf(drain: number, serveOn: number): Ending {
  return { serveOn, finish: Math.max(0, Math.floor(drain * 0.9) - serveOn) }
}

/** Also with `drain: 0s` connections are closed and the store is left in an orderly way. */
function atLeast(drain: number): number {
  return Math.max(drain, 1000)
}

function sayCrash(error: Error): void {
  io.err(`deskgate: ${error.stack ?? error.message}`)
}

const program = new Command('deskgate')
  .description('A single sign-on gateway in front of a help desk.')
  .version(version)
  .exitOverride()
  .configureOutput({ writeErr: text => process.stderr.write(text) })

const configOption = ['--config <file>', 'the configuration (default: $DESKGATE_CONFIG, then deskgate.yaml)'] as const

program
  .command('serve')
  .description('run the gateway')
  .option(...configOption)
  .action(serve)

program
  .command('demo')
  .description('gateway, demo Desk and demo identity provider on the memory store, no files needed')
  .option('--port <port>', 'the port of the gateway', '8080')
  .action(async ({ port }: { port: string }) => untilSignal(await startDemo({ port: Number(port), io }), 5_000))

program
  .command('check')
  .description('validate a configuration; one line per problem')
  .option(...configOption)
  .option('--online', 'also try Redis, Desk and the metadata')
  .action(async options => done(await check(options, io)))

program
  .command('explain')
  .description('every check of a login in order, expected against seen, and the setting to change')
  .argument('[reference]', 'the reference that the agent saw (asks the running gateway)')
  .option(...configOption)
  .option('--saml <file>', 'a SAML response: XML, base64 or the posted form')
  .option('--jwt <file>', 'a token: the compact form or the posted form')
  .option('--provider <id>', 'check against this provider')
  .option('--at <time>', 'as of this time (ISO 8601)')
  .option('--ops <url>', 'the ops listener of the running gateway')
  .action(async (reference, options) => done(await explain(reference, options, io)))

const sessions = program.command('sessions').description('the sessions of the running gateway')
const opsOption = ['--ops <url>', 'the ops listener of the running gateway'] as const

sessions
  .command('list')
  .description('every live session: handle, agent, provider, times, address, browser')
  .option('--agent <email>', 'of this agent')
  .option('--json', 'one line of JSON for each session')
  .option(...configOption)
  .option(...opsOption)
  .action(async options => done(await listSessions(options, io)))

sessions
  .command('revoke')
  .description('end sessions, on every replica')
  .option('--agent <email>', 'all of this agent')
  .option('--id <handle>', 'the one that `sessions list` shows under this handle')
  .option('--all', 'every session of everybody')
  .option(...configOption)
  .option(...opsOption)
  .action(async options => done(await revokeSessions(options, io)))

program
  .command('breakglass')
  .description('print a one-time login URL for an agent: for when the identity provider is down')
  .requiredOption('--agent <email>', 'who is to get in')
  .requiredOption('--reason <text>', 'why: it goes into the audit log')
  .option('--minutes <minutes>', 'the longest that the session lasts', '30')
  .option(...configOption)
  .option('--ops <url>', 'the ops listener of the running gateway')
  .action(async options => done(await breakglass(options, io)))

program
  .command('metadata')
  .description('print the SP metadata')
  .option(...configOption)
  .option('--provider <id>', 'of this provider')
  .action(async options => done(await printMetadata(options, io)))

program
  .command('keys')
  .description('identity signing keys')
  .command('generate')
  .description('print a new identity signing key')
  .action(() => done(generateKey(io)))

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are no mistake; everything else commander throws for is wrong usage.
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    io.err(`deskgate: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
