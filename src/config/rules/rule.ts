// What every rule gets: the configuration as far as it is right, and where to say what is wrong with it.

import type { Draft } from '../partial-config.js'
import type { Path, Problem } from '../problems.js'
import type { Config } from '../schema/index.js'

/** What a rule sees and where it says what it found. */
export interface Rules {
  config: Draft<Config>
  /** The value as it is written, undefined when it is not. */
  written(path: Path): unknown
  /** Milliseconds since the epoch. */
  now: number
  problem(path: Path, message: string, hint?: string): void
  warning(path: Path, message: string, hint?: string): void
  /** Problems of another file, with their own places. */
  elsewhere(problems: Problem[]): void
}
