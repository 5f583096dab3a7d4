// The commands, their options and their help, for commander. Each command passes its exit code to `done`; nothing here
// touches the process, so that the manual can be generated from it.

import { Command, InvalidArgumentError } from 'commander'
import { startDemo } from '../demo/demo.js'
import { newSigningKey } from '../keys/assertion-keys.js'
import { breakglass } from './commands/breakglass.js'
import { check } from './commands/check.js'
import { explain } from './commands/explain.js'
import { printMetadata } from './commands/metadata.js'
import { serve, untilSignal } from './commands/serve.js'
import { listSessions, revokeSessions } from './commands/sessions.js'
import type { ExitCode, Io } from './io.js'

export interface ProgramDeps {
  io: Io
  version: string
  /** Called by commands that end; serve and demo keep running. */
  done(code: ExitCode): void
}

const configOption = ['--config <file>', 'the configuration (default: $DESKGATE_CONFIG, then deskgate.yaml)'] as const
const opsOption = [
  '--ops <url>',
  "the ops listener of the running gateway (default: the configuration's ops.listen)",
] as const

const asksGateway = `
Asks the ops API of a running gateway, any replica will do; ops.adminToken must
be set there. The token comes from $DESKGATE_ADMIN_TOKEN, else from the
configuration; with --ops and the variable no configuration is needed.
`
const exitCodes = `
Exit code: 0 done; 1 a problem was found, and is said on stderr; 2 wrong usage.
`

/** The whole command line. Throws CommanderError instead of ending the process. */
export function createProgram(deps: ProgramDeps): Command {
  const program = new Command('deskgate')
    .description('A single sign-on gateway in front of a help desk.')
    .version(deps.version)
    .exitOverride()
    .showHelpAfterError('(--help shows what can be given)')
    .addHelpText('after', '\nTo begin: deskgate demo. Examples: deskgate COMMAND --help.')
    .addHelpText('after', exitCodes.trimEnd())
  addRunning(program, deps)
  addChecking(program, deps)
  addSessions(program, deps)
  addBreakglass(program, deps)
  addPrinting(program, deps)
  return program
}

function addRunning(program: Command, { io }: ProgramDeps): void {
  program
    .command('serve')
    .description('run the gateway until a signal')
    .option(...configOption)
    .addHelpText(
      'after',
      `
Logs JSON lines on stdout; one with "msg":"listening" says that it accepts
connections.

Signals: SIGTERM ends it in an orderly way within the configured drain, SIGINT
the same without waiting for load balancers, a second signal at once. SIGHUP
reads the configuration again, as a changed file does by itself.

Exit code: 0 ended in an orderly way; 1 the configuration has a problem, or it
cannot start; 2 wrong usage.

Example:
  $ deskgate serve --config /etc/deskgate/deskgate.yaml`,
    )
    .action(options => serve(options, io))

  program
    .command('demo')
    .description('try it: gateway, demo Desk and demo identity provider in one process, no files needed')
    .option('--port <port>', 'the port of the gateway; Desk and provider take the next free ones', port, 8080)
    .addHelpText(
      'after',
      `
Everything is kept in memory and listens on loopback. It prints where to go and
whom to log in as.

Exit code: 0 ended in an orderly way; 1 it cannot start; 2 wrong usage.

Example:
  $ deskgate demo --port 9000`,
    )
    .action(async (options: { port: number }) => untilSignal(await startDemo({ ...options, io }), { drain: 5_000, io }))
}

/** Throws InvalidArgumentError. 0 means any free port. */
function port(typed: string): number {
  const number = /^\d{1,5}$/.test(typed) ? Number(typed) : Number.NaN
  if (number <= 65_535) return number
  throw new InvalidArgumentError('It takes a number from 0 to 65535.')
}

function addChecking(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('check')
    .description('validate a configuration: one line per problem, FILE:LINE:COL key: problem (hint)')
    .option(...configOption)
    .option('--online', 'also try what it names, from this host: Redis, Desk, directories, providers, publicUrl')
    .option('--json', 'the result as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
Reads every file and variable that the configuration names. Warnings do not
change the exit code. --online lists what it tried; an address that only
browsers go to, such as publicUrl, is warned of when it does not answer here.
${exitCodes}
Examples:
  $ deskgate check --config deskgate.yaml
  $ deskgate check --config deskgate.yaml --online`,
    )
    .action(async options => done(await check(options, io)))

  program
    .command('explain')
    .description('every check of a login in order, expected against seen, and the setting to change')
    .argument('[reference]', 'of a refused login of the last day, as the agent saw it')
    .option(...configOption)
    .option(...opsOption)
    .option('--saml <file>', 'instead of a reference: a SAML response as XML, base64 or the posted form')
    .option('--jwt <file>', 'instead of a reference: a token, in the compact form or as the posted form')
    .option('--provider <id>', 'with a file: check against this provider')
    .option('--at <time>', 'with a file: as of this time, such as 2026-01-31T12:00:00Z')
    .option('--json', 'the checks as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
A reference is looked up at a running gateway, any replica will do;
ops.adminToken must be set there. A file is checked here, by the configuration,
and nothing is used up.

Exit code: 0 the reference was found, or what the file holds would be accepted;
1 not, and stderr says why; 2 wrong usage.

Examples:
  $ deskgate explain 7KQ2M-XW9PA --config deskgate.yaml
  $ deskgate explain --saml response.xml --at 2026-01-31T12:00:00Z`,
    )
    .action(async (reference, options) => done(await explain(reference, options, io)))
}

function addSessions(program: Command, { io, done }: ProgramDeps): void {
  const sessions = program.command('sessions').description('list and end the sessions of a running gateway')
  sessions
    .command('list')
    .description('every live session: handle, agent, provider, times, address, browser')
    .option('--agent <email>', 'only those of this agent')
    .option('--json', 'one line of JSON for each session, instead of a table')
    .option('--wide', 'every column; without it the table fits 120 characters')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `${asksGateway}${exitCodes}
Examples:
  $ deskgate sessions list --agent ana@example.com
  $ deskgate sessions list --json --ops http://127.0.0.1:9090`,
    )
    .action(async options => done(await listSessions(options, io)))

  sessions
    .command('revoke')
    .description('end sessions on every replica; takes exactly one of --agent, --id and --all')
    .option('--agent <email>', 'every current session of this agent; later ones are not affected')
    .option('--id <handle>', 'the one that "deskgate sessions list" shows under this handle')
    .option('--all', 'every session of everybody')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `${asksGateway}${exitCodes}
Example:
  $ deskgate sessions revoke --agent ana@example.com`,
    )
    .action(async options => done(await revokeSessions(options, io)))
}

function addBreakglass(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('breakglass')
    .description('print a one-time login URL for an agent: for when the identity provider is down')
    .requiredOption('--agent <email>', 'who is to get in; the directory must know the agent')
    .requiredOption('--reason <text>', 'why: it goes into the audit log')
    .option('--minutes <minutes>', 'the longest that the session lasts, 1 to 480', '30')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `
The URL alone is on stdout. It is good once and for 15 minutes: hand it over
like a password.
${asksGateway}${exitCodes}
Example:
  $ deskgate breakglass --agent ana@example.com --reason "Okta is down"`,
    )
    .action(async options => done(await breakglass(options, io)))
}

function addPrinting(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('metadata')
    .description('print the SAML metadata of this service provider, for the identity provider to import')
    .option(...configOption)
    .option('--provider <id>', 'for this provider: with its own entity ID and certificates')
    .addHelpText(
      'after',
      `${exitCodes}
Example:
  $ deskgate metadata --provider corp > deskgate-metadata.xml`,
    )
    .action(async options => done(await printMetadata(options, io)))

  program
    .command('keys')
    .description('make keys')
    .command('generate')
    .description('print a new identity signing key (ES256, PEM), for a file in identity.assertion.keys')
    .addHelpText(
      'after',
      `
The key is on stdout and in no other place.
${exitCodes}
Example:
  $ (umask 077; deskgate keys generate > identity.key)`,
    )
    .action(() => done(generateKey(io)))
}

/** Prints a new ES256 key as PKCS #8 PEM, for a file in identity.assertion.keys. */
function generateKey(io: Io): ExitCode {
  io.out(newSigningKey().trimEnd())
  return 0
}
