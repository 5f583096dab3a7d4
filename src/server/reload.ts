// Applies a new configuration while the gateway runs: one at a time, completely or not at all. An invalid one changes
// nothing, and is reported in the log, in the audit log, by /ready and as a metric.

import { changedKeys } from '../config/changes.js'
import type { LoadedFile } from '../config/load.js'
import { formatProblem } from '../config/problems.js'
import type { Config } from '../config/schema/index.js'
import type { FileFingerprints } from '../config/watch.js'
import type { ReloadResult } from '../ops/api.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { ReadinessProbe } from '../ops/readiness.js'

/** The trigger: a signal, the API, a changed file, or the primary process. */
export type ReloadCause = 'signal' | 'api' | 'file' | 'primary'

/** Reads the configuration again: the same file, with the environment that the process started with. */
export interface ConfigSource {
  /** `running`: the configuration to be replaced. Never rejects for a mistake in the configuration. */
  load(running: Config): Promise<LoadedFile>
}

export interface Reloader {
  /** Calls made during a reload share the one that follows it. Never rejects. */
  reload(cause: ReloadCause): Promise<ReloadResult>
  /** The files that were read last; undefined before the first reload. */
  files(): FileFingerprints | undefined
}

interface ReloadDeps {
  source: ConfigSource
  running(): Config
  /** Applies it completely or not at all; rejects with an Error for the operator. */
  apply(config: Config, changed: readonly string[]): Promise<void>
  readiness: Pick<ReadinessProbe, 'configuration'>
  metrics: Pick<Metrics, 'configRejected'>
  audit: Audit
  log: Log
}

export function createReloader(deps: ReloadDeps): Reloader {
  let files: FileFingerprints | undefined
  let inProgress: Promise<ReloadResult> | undefined
  let next: Promise<ReloadResult> | undefined
  let reported: string | undefined

  const run = async (cause: ReloadCause): Promise<ReloadResult> => {
    const result = await loadAndApply(deps, read => {
      files = read
    })
    deps.readiness.configuration(result.applied ? [] : result.problems.map(formatProblem))
    deps.metrics.configRejected(!result.applied)
    reported = reportResult(deps, { cause, result, reported })
    return result
  }
  const start = (cause: ReloadCause) => {
    const promise = run(cause).finally(() => {
      if (inProgress === promise) inProgress = undefined
    })
    inProgress = promise
    return promise
  }

  return {
    reload(cause) {
      if (!inProgress) return start(cause)
      next ??= inProgress.then(() => {
        next = undefined
        return start(cause)
      })
      return next
    },
    files: () => files,
  }
}

async function loadAndApply(deps: ReloadDeps, note: (files: FileFingerprints) => void): Promise<ReloadResult> {
  const running = deps.running()
  try {
    const loaded = await deps.source.load(running)
    note(loaded.files)
    if ('problems' in loaded) return { applied: false, problems: loaded.problems }
    const changed = changedKeys(running, loaded.config)
    if (changed.length > 0) await deps.apply(loaded.config, changed)
    return { applied: true, changed, warnings: loaded.warnings }
  } catch (error) {
    const message = error instanceof Error ? error.message : 'could not be applied'
    return { applied: false, problems: [{ file: 'configuration', line: 1, column: 1, key: '(file)', message }] }
  }
}

/** Settings with keys, secrets or certificates: auditors ask for their changes separately. */
const keyWords = /secret|password|token|certificate|jwks|(^|\.)keys?(\[|$)|(^|\.)tls(\.|$)/i

interface ReportInput {
  cause: ReloadCause
  result: ReloadResult
  /** The problems reported by the previous reload, if it was refused. */
  reported: string | undefined
}

/** Returns the problems when the reload was refused: a file that stays wrong is reported once. */
function reportResult(
  { log, audit }: ReloadDeps,
  { cause, result, reported: previous }: ReportInput,
): string | undefined {
  if (!result.applied) {
    const problems = result.problems.map(formatProblem)
    const reported = problems.join('\n')
    if (cause === 'file' && reported === previous) return previous
    log.error({ cause, problems }, 'configuration rejected, keeping the previous one')
    audit({ event: 'configuration_rejected', why: cause, problems })
    return reported
  }
  const { changed, warnings } = result
  if (changed.length === 0 && previous === undefined && cause === 'file') return undefined
  log.info(
    { cause, changed, warnings: warnings.map(formatProblem) },
    changed.length > 0 ? 'configuration changed' : 'configuration unchanged',
  )
  if (changed.length > 0) audit({ event: 'configuration_changed', why: cause, changed })
  const keys = changed.filter(key => keyWords.test(key))
  if (keys.length > 0) audit({ event: 'keys_changed', why: cause, changed: keys })
  return undefined
}
