// Loads the configuration for a command: says every problem on stderr, one line each.

import { formatProblem, type Loaded, type LoadedFile, loadConfig } from '../../config/load.js'
import type { Config } from '../../config/schema/index.js'
import { metadataFindings } from '../../providers/saml/metadata/files.js'
import { systemClock } from '../../runtime/clock.js'
import type { Io } from '../io.js'

/** The file a command reads: --config, then $DESKGATE_CONFIG, then deskgate.yaml in the working folder. */
export function configFile(option: string | undefined, env: NodeJS.ProcessEnv): string {
  // An empty variable is one that somebody has switched off.
  return option ?? (env.DESKGATE_CONFIG || 'deskgate.yaml')
}

/**
 * The configuration with what only those who read SAML metadata can say of it. Never rejects on what an operator can get
 * wrong. `running`: what it is to take the place of, without a restart.
 */
export async function loadWhole(file: string, env: NodeJS.ProcessEnv, running?: Config): Promise<LoadedFile> {
  const loaded = await loadConfig(file, env, systemClock, running)
  if (!('config' in loaded)) return loaded
  const { config, place, files } = loaded
  const { problems, warnings: more } = metadataFindings(config.providers, systemClock.now())
  const warnings = [...loaded.warnings, ...more.map(place)]
  return problems.length > 0 ? { problems: problems.map(place), warnings, files } : { config, place, warnings, files }
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
  const loaded = await loadWhole(configFile(option, io.env), io.env)
  for (const warning of say === 'all' ? loaded.warnings : []) io.err(`warning: ${formatProblem(warning)}`)
  if ('config' in loaded) return loaded
  for (const problem of loaded.problems) io.err(formatProblem(problem))
  return undefined
}
