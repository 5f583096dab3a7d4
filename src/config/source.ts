// Where a running gateway reads its configuration again: the same file, with the variables that it was started with.

import type { LoadedFile } from './load.js'
import type { Config } from './schema/index.js'

export interface ConfigSource {
  /** `running`: what the new one is to take the place of. Never rejects on what an operator can get wrong. */
  load(running: Config): Promise<LoadedFile>
}
