// The commands, their options and their help, for commander. Each command passes its exit code to `done`; nothing here
// touches the process, so that the manual can be generated from it.

import { Argument, Command, InvalidArgumentError } from 'commander'
import { startDemo } from '../demo/demo.js'
import { startPreview } from '../demo/pages-preview.js'
import { newSigningKey } from '../keys/assertion-keys.js'
import { access } from './commands/access.js'
import { breakglass } from './commands/breakglass.js'
import { check } from './commands/check.js'
import { configFile, loadPages } from './commands/configuration.js'
import { doctor } from './commands/doctor.js'
import { explain } from './commands/explain.js'
import { importFrom, peers } from './commands/import.js'
import { init } from './commands/init.js'
import { questions } from './commands/init-questions.js'
import { printMetadata } from './commands/metadata.js'
import { observed } from './commands/observed.js'
import { serve, untilSignal } from './commands/serve.js'
import { listSessions, revokeSessions } from './commands/sessions.js'
import type { ExitCode, Io } from './io.js'

interface ProgramDeps {
  io: Io
  version: string
  /** Called by commands that end; serve and demo keep running. */
  done(code: ExitCode): void
}

const configOption = ['--config <file>', 'the configuration (default: $DESKGATE_CONFIG, then deskgate.yaml)'] as const
const fallbackOption = [
  '--fallback <files...>',
  'older configurations; the first that is valid takes the place of an invalid one',
] as const
const opsOption = [
  '--ops <url>',
  "the ops listener of the running gateway (default: the configuration's ops.listen)",
] as const

const asksGateway = `
Calls the ops API of a running gateway (any replica), where ops.adminToken must
be set. The token comes from $DESKGATE_ADMIN_TOKEN, else from the configuration.
With --ops and the variable no configuration is needed.
`
const exitCodes = `
Exit code: 0 done; 1 a problem, which stderr explains; 2 usage error.
`

/** The whole command line. Throws CommanderError instead of ending the process. */
export function createProgram(deps: ProgramDeps): Command {
  const program = new Command('deskgate')
    .description('A single sign-on gateway in front of a help desk.')
    .version(deps.version)
    .exitOverride()
    .showHelpAfterError('(--help shows the options)')
    .addHelpText('after', '\nTo begin: deskgate demo. Examples: deskgate COMMAND --help.')
    .addHelpText('after', exitCodes.trimEnd())
  addRunning(program, deps)
  addBeginning(program, deps)
  addChecking(program, deps)
  addDoctor(program, deps)
  addSessions(program, deps)
  addAccess(program, deps)
  addObserved(program, deps)
  addBreakglass(program, deps)
  addPages(program, deps)
  addPrinting(program, deps)
  return program
}

function addRunning(program: Command, { io, version }: ProgramDeps): void {
  program
    .command('serve')
    .description('run the gateway until a signal')
    .option(...configOption)
    .option(...fallbackOption)
    .addHelpText(
      'after',
      `
Writes the log to stdout as JSON lines. The line with "msg":"listening" means
that the gateway accepts connections.

Signals: SIGTERM shuts the gateway down within the configured drain. SIGINT does
the same without waiting for load balancers. A second signal ends it at once.
SIGHUP reloads the configuration; a changed file is reloaded automatically.

With --fallback an invalid configuration does not prevent the start. It counts
as rejected (log, /ready, metric) until it is fixed, which needs no restart.

Exit code: 0 orderly shutdown; 1 the configuration has a problem, or the gateway
cannot start; 2 usage error.

Example:
  $ deskgate serve --config /etc/deskgate/deskgate.yaml`,
    )
    .action(options => serve({ ...options, version }, io))

  program
    .command('demo')
    .description('try it: gateway, demo Desk and demo identity provider in one process, no files needed')
    .option('--port <port>', 'the port of the gateway; Desk and provider take the next free ones', port, 8080)
    .addHelpText(
      'after',
      `
Everything is kept in memory and listens on loopback. The command prints the
address to open and the people to log in as.

Exit code: 0 orderly shutdown; 1 the demo cannot start; 2 usage error.

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

function addBeginning(program: Command, { io, done }: ProgramDeps): void {
  const command = program
    .command('init')
    .description('write a first configuration, and print what to enter at the identity provider')
    .argument('[file]', 'the configuration to write; its other files are written beside it', 'deskgate.yaml')
  for (const { flag, text } of questions) command.option(flag, text)
  command
    .addHelpText(
      'after',
      `
In a terminal it asks for missing answers. Otherwise a missing answer is an
error. It creates the secrets, readable by this user alone, and runs "deskgate
check". It writes all files or none, and never overwrites a file.
${exitCodes}
Examples:
  $ deskgate init
  $ deskgate init /etc/deskgate/deskgate.yaml --provider saml`,
    )
    .action(async (file, options) => done(await init(file, options, io)))

  program
    .command('import')
    .description('convert the configuration of another gateway')
    .addArgument(new Argument('<kind>', 'the other gateway').choices(Object.keys(peers)))
    .argument('<file>', 'its configuration: TOML, Apache directives, or a file with flags or variables')
    .option('--output <file>', 'where to write; an existing file is never overwritten (default: stdout)')
    .addHelpText(
      'after',
      `
Names on stderr every option that is not carried over, and what to do instead.
Passwords are not copied: the output refers to environment variables instead.
${exitCodes}
Example:
  $ deskgate import oauth2-proxy oauth2-proxy.cfg --output deskgate.yaml`,
    )
    .action((kind, file, options) => done(importFrom(kind, file, options, io)))
}

function addChecking(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('check')
    .description('validate a configuration: one line per problem, FILE:LINE:COL key: problem (hint)')
    .option(...configOption)
    .option(...fallbackOption)
    .option(
      '--online',
      'also connect from this host to everything that it names: Redis, Desk, directories, providers, publicUrl',
    )
    .option('--json', 'the result as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
Reads every file and variable that the configuration names. Warnings do not
change the exit code. --online lists everything that it tried. An address that
only browsers use, such as publicUrl, causes just a warning if it does not
answer. With --fallback the check passes if serve could start with one of the
files.
${exitCodes}
Examples:
  $ deskgate check --config deskgate.yaml
  $ deskgate check --config deskgate.yaml --online`,
    )
    .action(async options => done(await check(options, io)))

  program
    .command('explain')
    .description('every check of a login in order, expected against seen, and the setting to change')
    .argument('[reference]', 'the reference of a login that was refused within the last week, as the agent saw it')
    .option(...configOption)
    .option(...opsOption)
    .option('--saml <file>', 'instead of a reference: a SAML response as XML, base64 or the posted form')
    .option('--jwt <file>', 'instead of a reference: a token, in the compact form or as the posted form')
    .option('--provider <id>', 'with a file: check against this provider')
    .option('--at <time>', 'with a file: check at this time, such as 2026-01-31T12:00:00Z')
    .option('--json', 'the checks as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
A reference is looked up at a running gateway (any replica), where
ops.adminToken must be set. A file is checked here, with the configuration. Its
message can still be used for a login afterwards.

Exit code: 0 the reference was found, or the message in the file would be
accepted; 1 otherwise, and stderr says why; 2 usage error.

Examples:
  $ deskgate explain 7KQ2M-XW9PA --config deskgate.yaml
  $ deskgate explain --saml response.xml --at 2026-01-31T12:00:00Z`,
    )
    .action(async (reference, options) => done(await explain(reference, options, io)))
}

function addDoctor(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('doctor')
    .description('try a complete login through publicUrl: show what each check saw, and the setting to change')
    .option(...configOption)
    .option(...opsOption)
    .option('--ca <file>', "one more authority that agents' browsers trust, in PEM")
    .option('--json', 'the checks as one line of JSON on stdout')
    .addHelpText(
      'after',
      `
Run it where agents' browsers are, or where publicUrl leads to the same front.
The command logs no agent in: for a minute at most, the gateway opens a provider
for one login of doctor@invalid, which reaches nothing in Desk but its first
page. The audit log records it. The command needs the configuration, and the
admin token: ops.adminToken, or $DESKGATE_ADMIN_TOKEN.

Exit code: 0 no check has failed; 1 one has, and stderr says which; 2 usage
error.

Examples:
  $ deskgate doctor --config deskgate.yaml
  $ deskgate doctor --ops http://10.0.0.7:9090 --ca company-ca.pem`,
    )
    .action(async options => done(await doctor(options, io)))
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
    .option('--id <handle>', 'the session with this handle, as "deskgate sessions list" shows it')
    .option('--all', 'every session of every agent')
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

function addAccess(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('access')
    .description('who may do what, and why: source, roles, providers, rules')
    .argument('[email]', 'the agent')
    .argument('[method]', 'the method of a request, such as GET')
    .argument('[path]', 'the path of the request, as the browser sends it')
    .option('--from <address>', 'with a request: the address of the client, for rules that require one')
    .option('--report', 'instead of an agent: every agent that a source lists, by each provider')
    .option('--csv', 'with --report: a table for a spreadsheet')
    .option('--json', 'one line of JSON for each agent')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `
The decision is the gateway's own: its directory, its rules, and the roles of
live sessions where the provider states them. The command logs nobody in.
${asksGateway}
Exit code: 0 the agent has access (or the report is complete); 1 the agent has
no access, and stderr says why; 2 usage error.

Examples:
  $ deskgate access ana@example.com
  $ deskgate access ana@example.com GET /admin/users
  $ deskgate access --report --csv > access.csv`,
    )
    .action(async (email, method, path, options) => done(await access({ email, method, path }, options, io)))
}

function addObserved(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('observed')
    .description('list the requests that mode enforce would have stopped, and why (in mode observe)')
    .option('--json', 'the whole report as one line of JSON')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `
Groups of requests by path, kind of client and reason, the most frequent first:
what would fail if the mode were enforce. A replica knows its own requests, with
those of all its workers, since its start or the last change of the rules.
${asksGateway}
Exit code: 0 the report is printed; 1 the gateway does not observe, or does not
answer, and stderr says why; 2 usage error.

Examples:
  $ deskgate observed
  $ deskgate observed --json --ops http://127.0.0.1:9090`,
    )
    .action(async options => done(await observed(options, io)))
}

function addBreakglass(program: Command, { io, done }: ProgramDeps): void {
  program
    .command('breakglass')
    .description('print a one-time login URL for an agent, for use while the identity provider is down')
    .requiredOption('--agent <email>', 'the agent to log in; the directory must know the address')
    .requiredOption('--reason <text>', 'the reason, for the audit log')
    .option('--minutes <minutes>', 'how long the session may last, 1 to 480', '30')
    .option(...configOption)
    .option(...opsOption)
    .addHelpText(
      'after',
      `
Only the URL is printed on stdout. It is valid once and for 15 minutes: treat it
like a password.
${asksGateway}${exitCodes}
Example:
  $ deskgate breakglass --agent ana@example.com --reason "Okta is down"`,
    )
    .action(async options => done(await breakglass(options, io)))
}

function addPages(program: Command, { io }: ProgramDeps): void {
  program
    .command('pages')
    .description("the gateway's own pages, as agents see them")
    .requiredOption('--preview', 'serve every page with sample data on loopback, by language, in light and dark')
    .option(...configOption)
    .option('--port <port>', 'the port of the preview; 0: a free port', port, 8081)
    .addHelpText(
      'after',
      `
Reads the configuration and its templates again for each page, so that a change
shows at once. Without a configuration it shows the built-in pages. Nothing is
sent anywhere: buttons lead back to the list.

Exit code: 0 orderly shutdown; 1 the port is taken; 2 usage error.

Example:
  $ deskgate pages --preview --config deskgate.yaml`,
    )
    .action(async (options: { config?: string; port: number }) => {
      const load = () =>
        loadPages(configFile(options.config, io.env), { env: io.env, given: options.config !== undefined })
      untilSignal(await startPreview({ load, port: options.port, io }), { drain: 0, io })
    })
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
    .description('generate keys')
    .command('generate')
    .description('print a new identity signing key (ES256, PEM), for a file in identity.assertion.keys')
    .addHelpText(
      'after',
      `
The key is printed on stdout and stored nowhere.
${exitCodes}
Example:
  $ (umask 077; deskgate keys generate > identity.key)`,
    )
    .action(() => {
      io.out(newSigningKey().trimEnd())
      done(0)
    })
}
