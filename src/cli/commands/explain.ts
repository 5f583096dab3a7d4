// `deskgate explain`: every check of a login in order, from the report of a refused login or for a message in a file.

import type { Check } from '../../core/checks.js'
import { hintOf, type Reason, settingOf } from '../../core/reasons.js'
import { type RefusedLoginReport, referencePattern } from '../../ops/refused-logins.js'
import { type ExitCode, escapeControls, heading, type Io, type ReportOutcome, report, usageError } from '../io.js'
import { askOps, opsAccess } from '../ops-client.js'
import { readConfiguration } from './configuration.js'
import { explainMessageFile, type FileVerdict } from './explain-file.js'

export interface ExplainOptions {
  config?: string
  saml?: string
  jwt?: string
  provider?: string
  at?: string
  ops?: string
  json?: boolean
}

/** `reference`, or one of options.saml and options.jwt; anything else is a usage error. */
export async function explain(reference: string | undefined, options: ExplainOptions, io: Io): Promise<ExitCode> {
  const wrong = wrongUsage(reference, options)
  if (wrong !== undefined) return usageError(wrong, io)
  return reference === undefined
    ? explainFile(options, io)
    : explainReference(reference.trim().toUpperCase(), options, io)
}

function wrongUsage(reference: string | undefined, options: ExplainOptions): string | undefined {
  const { saml, jwt, provider, at } = options
  const given = [reference, saml, jwt].filter(value => value !== undefined)
  if (given.length !== 1) return 'give exactly one: a reference, --saml FILE or --jwt FILE'
  if (at !== undefined && Number.isNaN(Date.parse(at))) return '--at takes a time such as 2026-01-31T12:00:00Z'
  if (reference === undefined) return undefined
  if (provider !== undefined || at !== undefined) return '--provider and --at need --saml FILE or --jwt FILE'
  if (referencePattern.test(reference.trim().toUpperCase())) return undefined
  const hint = 'copy it from the page of the refused login or from the log, such as 7KQ2M-XW9PA'
  return `invalid reference ${escapeControls(reference.slice(0, 60))}: ${hint}; for a file use --saml or --jwt`
}

async function explainReference(reference: string, options: ExplainOptions, io: Io): Promise<ExitCode> {
  const access = await opsAccess(options, io, 'the API that keeps the checks of refused logins is off')
  if (!access) return 1
  const found = (await askOps(access, `/api/logins/${encodeURIComponent(reference)}`)) as RefusedLoginReport | undefined
  if (!found) {
    io.err(`no refused login of the last week has the reference ${reference}`)
    return 1
  }
  const { checks, reason, hint } = found
  if (options.json) {
    io.out(JSON.stringify({ ...found, at: iso(found.at), accepted: false, ...adviceOn(reason, hint) }))
    return 0
  }
  const head: [string, string][] = [
    [found.of ?? 'login', found.reference],
    ['refused at', iso(found.at)],
    ['provider', found.provider ?? 'none was found'],
    ['from', `${found.address} (${found.browser})`],
  ]
  print(head, checks, { reason, ...(hint === undefined ? {} : { hint }) }, io)
  return 0
}

async function explainFile(options: ExplainOptions, io: Io): Promise<ExitCode> {
  const at = options.at === undefined ? undefined : Date.parse(options.at)
  const config = await readConfiguration(options.config, io)
  if (!config) return 1
  const known = config.providers.map(({ id }) => id)
  if (options.provider !== undefined && !known.includes(options.provider)) {
    io.err(`no provider has the id ${escapeControls(options.provider)}: --provider takes ${known.join(', ')}`)
    return 1
  }
  const kind = options.saml === undefined ? 'jwt' : 'saml'
  const file = options.saml ?? options.jwt ?? ''
  const outcome = await explainMessageFile(config, { kind, file, at, provider: options.provider })
  const { reason, accepted } = outcome
  if (options.json) io.out(JSON.stringify(fileFacts(file, outcome)))
  else {
    const head: [string, string][] = [
      ['file', `${file} (${outcome.bytes} bytes)`],
      ['provider', outcome.provider ?? 'none was found'],
      ['as of', iso(outcome.at)],
    ]
    print(head, outcome.checks, { ...(reason ? { reason } : { accepted: accepted ?? '' }), open: needBrowser }, io)
    if (reason && at === undefined && timeReasons.includes(reason)) io.out(`  ${atIssueTime(outcome.issuedAt)}`)
  }
  if (!reason) return 0
  io.err(`refused: ${reason}`)
  return 1
}

function fileFacts(file: string, { at, issuedAt, accepted, ...outcome }: FileVerdict) {
  const facts = { file, ...outcome, at: iso(at), ...(issuedAt === undefined ? {} : { issuedAt: iso(issuedAt) }) }
  if (outcome.reason) return { ...facts, accepted: false, ...adviceOn(outcome.reason) }
  return { ...facts, accepted: true, agent: accepted }
}

function adviceOn(reason: Reason, hint = hintOf(reason)) {
  const setting = settingOf(reason)
  return { hint, ...(setting === undefined ? {} : { setting }) }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

/** Checks that need the running gateway or the browser. */
const needBrowser: [string, string][] = [
  ['cookie of the login', 'not in a file: assumed to be present'],
  ['nobody else is logged in', "not in a file: the browser's session"],
  ['not used before', 'not in a file: the store of the running gateway'],
]
const timeReasons: readonly Reason[] = ['saml.expired', 'jwt.expired', 'jwt.too_old']

/** A saved message has usually expired by now, whatever was wrong with it then. */
function atIssueTime(issuedAt: number | undefined): string {
  const time = issuedAt === undefined ? 'TIME' : new Date(issuedAt).toISOString()
  return `The checks used the current time. To use the time of arrival: --at ${time}`
}

function print(head: [string, string][], checks: Check[], outcome: ReportOutcome, io: Io): void {
  for (const line of [...heading(head), '', ...report(checks, outcome)]) io.out(line)
}
