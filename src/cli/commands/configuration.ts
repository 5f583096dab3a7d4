// Loads the configuration for a command, and prints every problem on stderr, one line each.

import { existsSync } from 'node:fs'
import { type Loaded, type LoadedFile, loadAgents, loadConfig, loadConfigText } from '../../config/load.js'
import { type Finding, formatProblem } from '../../config/problems.js'
import { createReader } from '../../config/reader.js'
import type { Config } from '../../config/schema/index.js'
import { metadataFindings, parseFilesAhead } from '../../providers/saml/metadata/files.js'
import { systemClock } from '../../runtime/clock.js'
import type { ConfigSource } from '../../server/reload.js'
import { accessTestFindings } from '../../web/access/access-tests.js'
import type { Io } from '../io.js'

/** The configuration file: --config, then $DESKGATE_CONFIG, then deskgate.yaml in the working folder. */
export function configFile(option: string | undefined, env: NodeJS.ProcessEnv): string {
  // An empty variable counts as unset.
  return option ?? (env.DESKGATE_CONFIG || 'deskgate.yaml')
}

/** What a metadata file is that cannot be used: while a gateway starts, the other providers go on without it. */
type UnusableMetadata = 'problem' | 'warning'

/**
 * Loads the configuration, checks the SAML metadata files that it names and runs its `tests`. Never rejects for a mistake.
 * `running`: the configuration to be replaced without a restart; it knows metadata that is better than a broken file.
 */
export async function loadWithMetadata(
  file: string,
  env: NodeJS.ProcessEnv,
  { running, unusable = 'problem' }: { running?: Config; unusable?: UnusableMetadata } = {},
): Promise<LoadedFile> {
  const loaded = await loadConfig(file, env, systemClock, running)
  if (!('config' in loaded)) return loaded
  if (running) await parseFilesAhead(loaded.config.providers)
  const found = metadataFindings(loaded.config.providers, systemClock.now())
  const problems = unusable === 'problem' ? [...found.problems, ...found.unusable] : found.problems
  const warnings = unusable === 'problem' ? found.warnings : [...found.unusable, ...found.warnings]
  return tested(loaded, { problems, warnings })
}

/** Runs the `tests` of a configuration, for which this was found besides. */
function tested(
  loaded: Extract<LoadedFile, { config: Config }>,
  found: { problems: Finding[]; warnings: Finding[] } = { problems: [], warnings: [] },
): LoadedFile {
  const { place, files } = loaded
  const problems = [...found.problems, ...accessTestFindings(loaded.config)].map(place)
  const warnings = [...loaded.warnings, ...found.warnings.map(place)]
  return problems.length > 0 ? { problems, warnings, files } : { ...loaded, warnings }
}

/** Reads the configuration again while the gateway runs; nothing but agents files where nothing else has changed. */
export function createConfigSource(file: string, env: NodeJS.ProcessEnv): ConfigSource {
  let valid: LoadedFile | undefined
  return {
    async load(running) {
      const alone = valid && (await loadAgents(valid, running))
      const loaded = alone ?? (await loadWithMetadata(file, env, { running }))
      const result = alone && 'config' in alone ? tested(alone) : loaded
      if ('config' in result) valid = result
      return result
    },
  }
}

/** The configuration for a look at the pages; without any file, and when none was `given`, one with the defaults. */
export async function loadPages(
  file: string,
  { env, given }: { env: NodeJS.ProcessEnv; given: boolean },
): Promise<Loaded> {
  if (given || existsSync(file)) return loadConfig(file, env)
  const reader = createReader({ folder: '.', env })
  const text = JSON.stringify({
    publicUrl: 'http://localhost:8080',
    desk: { url: 'http://localhost:3000' },
    providers: [],
    agents: [{ any: true }],
    login: { alsoAllowDeskAuthentication: { paths: ['/login'], whoami: '/me', email: '/email', cookie: 'session' } },
  })
  return loadConfigText(text, { file, reader, now: systemClock.now() })
}

/** The configuration, or undefined after its problems have been printed. `print`: whether to print warnings too. */
export async function readConfiguration(
  option: string | undefined,
  io: Io,
  print: 'all' | 'problems' = 'all',
  unusable: UnusableMetadata = 'problem',
): Promise<Config | undefined> {
  const loaded = await loadWithMetadata(configFile(option, io.env), io.env, { unusable })
  for (const warning of print === 'all' ? loaded.warnings : []) io.err(`warning: ${formatProblem(warning)}`)
  if ('config' in loaded) return loaded.config
  for (const problem of loaded.problems) io.err(formatProblem(problem))
  return undefined
}

/**
 * In place of an invalid configuration file: the first of `files` that is valid, or undefined. It says on stderr which one,
 * and what is wrong with those before it. A file that does not exist is passed over.
 */
export async function readFallback(
  files: readonly string[],
  io: Io,
  unusable: UnusableMetadata = 'problem',
): Promise<Config | undefined> {
  for (const file of files.filter(path => existsSync(path))) {
    const config = await readConfiguration(file, io, 'problems', unusable)
    if (!config) continue
    io.err(`warning: the configuration is INVALID; using ${file}, the last valid one (--fallback)`)
    return config
  }
  return undefined
}
