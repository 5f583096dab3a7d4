// Loads the configuration for a command: says every problem on stderr, one line each.

import { formatProblem, type Loaded, loadConfig } from '../config/load.js'
import type { Config } from '../config/schema/index.js'
import type { Io } from './io.js'

/** The file a command reads: --config, then $DESKGATE_CONFIG, then deskgate.yaml in the working folder. */
export function configFile(option: string | undefined, env: NodeJS.ProcessEnv): string {
  // An empty variable is one that somebody has switched off.
  return option ?? (env.DESKGATE_CONFIG || 'deskgate.yaml')
}

/** The configuration, or undefined after its problems have been said. Warnings are said as well, unless somebody has. */
export async function configuration(
  option: string | undefined,
  io: Io,
  say: 'all' | 'problems' = 'all',
): Promise<Config | undefined> {
  return (await placedConfiguration(option, io, say))?.config
}

/** The same with what tells where each of its settings stands. */
export async function placedConfiguration(
  option: string | undefined,
  io: Io,
  say: 'all' | 'problems' = 'all',
): Promise<Extract<Loaded, { config: Config }> | undefined> {
  const loaded = await loadConfig(configFile(option, io.env), io.env)
  for (const warning of say === 'all' ? loaded.warnings : []) io.err(`warning: ${formatProblem(warning)}`)
  if ('config' in loaded) return loaded
  for (const problem of loaded.problems) io.err(formatProblem(problem))
  return undefined
}
