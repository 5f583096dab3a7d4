// What every rule gets: the valid part of the configuration, and functions to report problems.

import type { DeepPartial } from '../partial-config.js'
import type { Path, Problem } from '../problems.js'
import type { Config } from '../schema/index.js'

export interface Rules {
  config: DeepPartial<Config>
  /** The value as written in the file; undefined when absent. */
  written(path: Path): unknown
  /** Milliseconds since the epoch. */
  now: number
  problem(path: Path, message: string, hint?: string): void
  warning(path: Path, message: string, hint?: string): void
  /** Reports problems of another file, with their own places. */
  elsewhere(problems: Problem[]): void
}
