#!/usr/bin/env node
// The command line: reads argv and the environment, runs one command, and turns how it ends into an exit code.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { breakglass } from './admin/breakglass.js'
import { check } from './admin/check.js'
import { explain } from './admin/explain.js'
import type { ExitCode, Io } from './admin/io.js'
import { generateKey } from './admin/keys.js'
import { printMetadata } from './admin/metadata.js'
import { listSessions, revokeSessions } from './admin/sessions.js'
import { startDemo } from './demo/demo.js'
import { serve, untilSignal } from './serve.js'

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
  .action(options => serve(options, io))

program
  .command('demo')
  .description('gateway, demo Desk and demo identity provider on the memory store, no files needed')
  .option('--port <port>', 'the port of the gateway', '8080')
  .action(async ({ port }: { port: string }) =>
    untilSignal(await startDemo({ port: Number(port), io }), { drain: 5_000, io }),
  )

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
