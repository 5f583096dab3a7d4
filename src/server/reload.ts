// Takes a new configuration while the gateway runs: one at a time, whole or not at all. A bad one changes nothing, and is
// told wherever an operator looks.

import { changedKeys } from '../config/changes.js'
import type { FileMarks } from '../config/file-fingerprints.js'
import type { LoadedFile } from '../config/load.js'
import { formatProblem, type Problem } from '../config/problems.js'
import type { Config } from '../config/schema/index.js'
import type { ReloadResult } from '../ops/api.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { ReadinessProbe } from '../ops/readiness.js'

export type { ReloadResult } from '../ops/api.js'

/** What asked for it: a signal, the API, a file that changed, or a primary process. */
export type ReloadCause = 'signal' | 'api' | 'file' | 'primary'

/** Where a running gateway reads its configuration again: the same file, with the variables that it was started with. */
export interface ConfigSource {
  /** `running`: what the new one is to take the place of. Never rejects on what an operator can get wrong. */
  load(running: Config): Promise<LoadedFile>
}

export interface Reloads {
  /** Whoever asks while one is under way waits for the next, which all who wait share. Never rejects. */
  reload(cause: ReloadCause): Promise<ReloadResult>
  /** The files of the last reading; undefined before the first. */
  files(): FileMarks | undefined
}

export interface ReloadDeps {
  source: ConfigSource
  running(): Config
  /** Puts it to use, whole or not at all; rejects with an Error for the operator. */
  apply(config: Config, changed: readonly string[]): Promise<void>
  readiness: Pick<ReadinessProbe, 'configuration'>
  metrics: Pick<Metrics, 'configRejected'>
  audit: Audit
  log: Log
}

export function createReloads(deps: ReloadDeps): Reloads {
  let files: FileMarks | undefined
  let under: Promise<ReloadResult> | undefined
  let next: Promise<ReloadResult> | undefined
  let told: string | undefined

  const work = async (cause: ReloadCause): Promise<ReloadResult> => {
    const result = await attempt(deps, read => {
      files = read
    })
    deps.readiness.configuration(result.applied ? [] : result.problems.map(formatProblem))
    deps.metrics.configRejected(!result.applied)
    told = tell(deps, { cause, result, told })
    return result
  }
  const begin = (cause: ReloadCause) => {
    const flight = work(cause).finally(() => {
      if (under === flight) under = undefined
    })
    under = flight
    return flight
  }

  return {
    reload(cause) {
      if (!under) return begin(cause)
      next ??= under.then(() => {
        next = undefined
        return begin(cause)
      })
      return next
    },
    files: () => files,
  }
}

async function attempt(deps: ReloadDeps, note: (files: FileMarks) => void): Promise<ReloadResult> {
  const running = deps.running()
  try {
    const loaded = await deps.source.load(running)
    note(loaded.files)
    if ('problems' in loaded) return { applied: false, problems: loaded.problems }
    const changed = changedKeys(running, loaded.config)
    if (changed.length > 0) await deps.apply(loaded.config, changed)
    return { applied: true, changed, warnings: loaded.warnings }
  } catch (error) {
    const message = error instanceof Error ? error.message : 'could not be put to use'
    return { applied: false, problems: [{ file: 'configuration', line: 1, column: 1, key: '(file)', message }] }
  }
}

/** Keys, secrets and certificates: who changed those is asked for by itself. */
const keyWords = /secret|password|token|certificate|jwks|(^|\.)keys?(\[|$)|(^|\.)tls(\.|$)/i

interface Told {
  cause: ReloadCause
  result: ReloadResult
  /** What was said of the last one, if it was refused. */
  told: string | undefined
}

/** What was said, when it was refused: the same problems are not said again for each look at a file. */
function tell({ log, audit }: ReloadDeps, { cause, result, told }: Told): string | undefined {
  if (!result.applied) {
    const problems = result.problems.map(formatProblem)
    const said = problems.join('\n')
    if (cause === 'file' && said === told) return told
    log.error({ cause, problems }, 'the configuration was refused: the one before it goes on')
    audit({ event: 'configuration_rejected', why: cause, problems })
    return said
  }
  const { changed, warnings } = result
  if (changed.length === 0 && told === undefined && cause === 'file') return undefined
  log.info(
    { cause, changed, warnings: warnings.map(warning) },
    changed.length > 0 ? 'the configuration was changed' : 'the configuration is what it was',
  )
  if (changed.length > 0) audit({ event: 'configuration_changed', why: cause, changed })
  const keys = changed.filter(key => keyWords.test(key))
  if (keys.length > 0) audit({ event: 'keys_changed', why: cause, changed: keys })
  return undefined
}

function warning(problem: Problem): string {
  return formatProblem(problem)
}
