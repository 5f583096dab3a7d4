// `deskgate check`: prints every problem of a configuration, and with --online what was tried and what does not answer.

import { dotted, formatProblem, type Problem } from '../../config/problems.js'
import type { Config } from '../../config/schema/index.js'
import type { ExitCode, Io } from '../io.js'
import { opsCommands } from '../ops-client.js'
import { type Trial, tryOnline } from './check-online.js'
import { configFile, loadWithMetadata, readFallback } from './configuration.js'

export interface CheckOptions {
  config?: string
  online?: boolean
  json?: boolean
  /** Files that serve would start with in place of an invalid configuration. */
  fallback?: string[]
}

/** What --json prints. */
interface CheckResult {
  valid: boolean
  problems: Problem[]
  warnings: Problem[]
  notes: string[]
  /** With --online. */
  tried?: { key: string; address: string; answers: boolean; neededBy: Trial['neededBy']; problem?: string }[]
}

export async function check(options: CheckOptions, io: Io): Promise<ExitCode> {
  const loaded = await loadWithMetadata(configFile(options.config, io.env), io.env)
  const result: CheckResult = { valid: true, problems: [], warnings: [...loaded.warnings], notes: [] }
  if ('config' in loaded) {
    result.notes.push(...notesOn(loaded.config))
    const trials = options.online ? await tryOnline(loaded.config) : []
    for (const { path, problem, hint, warnings, neededBy } of trials) {
      const found = problem === undefined ? [] : [loaded.place({ path, message: problem, hint })]
      result[neededBy === 'gateway' ? 'problems' : 'warnings'].push(...found)
      result.warnings.push(...warnings.map(loaded.place))
    }
    if (options.online) result.tried = trials.map(triedOf)
  } else result.problems.push(...loaded.problems)
  result.valid = result.problems.length === 0
  print(result, options, io)
  return result.valid || (await readFallback(options.fallback ?? [], io)) ? 0 : 1
}

function triedOf({ path, address, neededBy, problem }: Trial) {
  const answers = problem === undefined
  return { key: dotted(path), address, answers, neededBy, ...(answers ? {} : { problem }) }
}

/** What works less than it could, but is right as it is. */
function notesOn({ ops, publicUrl, hsts }: Config): string[] {
  const notes: string[] = []
  if (!ops.adminToken) notes.push(`without ops.adminToken these commands do not work: ${opsCommands.join(', ')}`)
  if (!hsts && publicUrl.startsWith('https:')) {
    notes.push('hsts is recommended: set it once the whole host is served over https, so that browsers never try http')
  }
  return notes
}

function print({ valid, problems, warnings, notes, tried }: CheckResult, options: CheckOptions, io: Io): void {
  for (const warning of warnings) io.err(`warning: ${formatProblem(warning)}`)
  for (const problem of problems) io.err(formatProblem(problem))
  if (options.json) {
    io.out(JSON.stringify({ valid, problems, warnings, notes, ...(tried ? { tried } : {}) }))
    return
  }
  const width = Math.max(0, ...(tried ?? []).map(({ key }) => key.length))
  for (const { answers, key, address, neededBy } of tried ?? []) {
    const failed = neededBy === 'gateway' ? 'FAIL' : 'warn'
    io.out(`  ${answers ? 'ok  ' : failed}  ${key.padEnd(width)}  ${address}`)
  }
  if (!valid) return
  for (const note of notes) io.out(`note: ${note}`)
  io.out(closing(tried))
}

function closing(tried: CheckResult['tried']): string {
  if (!tried) return 'The configuration is valid.'
  if (tried.every(({ answers }) => answers)) return 'The configuration is valid, and everything it names answers.'
  return 'The configuration is valid, and everything that the gateway itself calls answers.'
}
