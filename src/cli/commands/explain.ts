// `deskgate explain`: every check of a login in order, from the report of a refused login or for a message in a file.

import type { Check } from '../../core/checks.js'
import type { Reason } from '../../core/reasons.js'
import type { RefusedLoginReport } from '../../ops/refused-logins.js'
import type { ExitCode, Io } from '../io.js'
import { askOps, opsAccess } from '../ops-client.js'
import { readConfiguration } from './configuration.js'
import { explainMessageFile } from './explain-file.js'
import { heading, type ReportOutcome, report } from './report.js'

export interface ExplainOptions {
  config?: string
  saml?: string
  jwt?: string
  provider?: string
  at?: string
  ops?: string
}

/** `reference`, or one of options.saml and options.jwt; anything else is wrong usage. */
export async function explain(reference: string | undefined, options: ExplainOptions, io: Io): Promise<ExitCode> {
  const given = [reference, options.saml, options.jwt].filter(value => value !== undefined)
  if (given.length !== 1) {
    io.err('error: give one of a reference, --saml FILE and --jwt FILE')
    return 2
  }
  return reference === undefined ? explainFile(options, io) : explainReference(reference, options, io)
}

async function explainReference(reference: string, options: ExplainOptions, io: Io): Promise<ExitCode> {
  const access = await opsAccess(options, io, 'the API that keeps the checks of refused logins is off')
  if (!access) return 1
  const report = (await askOps(access, `/api/logins/${encodeURIComponent(reference)}`)) as
    | RefusedLoginReport
    | undefined
  if (!report) {
    io.err(`no refused login of the last day has the reference ${reference}`)
    return 1
  }
  const head: [string, string][] = [
    [report.of ?? 'login', report.reference],
    ['refused at', new Date(report.at).toISOString()],
    ['provider', report.provider ?? 'none was found'],
    ['from', `${report.address} (${report.browser})`],
  ]
  const { checks, reason, hint } = report
  print(head, checks, { reason, ...(hint === undefined ? {} : { hint }) }, io)
  return 0
}

async function explainFile(options: ExplainOptions, io: Io): Promise<ExitCode> {
  const at = options.at === undefined ? undefined : Date.parse(options.at)
  if (at !== undefined && Number.isNaN(at)) {
    io.err('error: --at takes a time such as 2026-01-31T12:00:00Z')
    return 2
  }
  const config = await readConfiguration(options.config, io)
  if (!config) return 1
  const kind = options.saml === undefined ? 'jwt' : 'saml'
  const file = options.saml ?? options.jwt ?? ''
  const outcome = await explainMessageFile(config, { kind, file, at, provider: options.provider })
  const { reason, accepted } = outcome
  const head: [string, string][] = [
    ['file', `${file} (${outcome.bytes} bytes)`],
    ['provider', outcome.provider ?? 'none was found'],
    ['as of', new Date(outcome.at).toISOString()],
  ]
  print(head, outcome.checks, { ...(reason ? { reason } : { accepted: accepted ?? '' }), open: needBrowser }, io)
  if (!reason) return 0
  if (at === undefined && timeReasons.includes(reason)) io.out(`  ${atIssueTime(outcome.issuedAt)}`)
  io.err(`refused: ${reason}`)
  return 1
}

/** Checks that need the running gateway or the browser. */
const needBrowser: [string, string][] = [
  ['cookie of the login', 'not in a file: taken as present'],
  ['nobody else is logged in', "not in a file: the browser's session"],
  ['not used before', 'not in a file: the store of the running gateway'],
]
const timeReasons: readonly Reason[] = ['saml.expired', 'jwt.expired', 'jwt.too_old']

/** A saved message has usually expired by now, whatever was wrong with it then. */
function atIssueTime(issuedAt: number | undefined): string {
  const time = issuedAt === undefined ? 'TIME' : new Date(issuedAt).toISOString()
  return `It was checked as of now. To check it as of when it arrived: --at ${time}`
}

function print(head: [string, string][], checks: Check[], outcome: ReportOutcome, io: Io): void {
  for (const line of [...heading(head), '', ...report(checks, outcome)]) io.out(line)
}
