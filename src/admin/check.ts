// `deskgate check`: says every problem of a configuration, and with --online what cannot be reached from here.

import { createFetch } from '../ops/fetch.js'
import { createLog } from '../ops/log.js'
import { systemClock } from '../core/clock.js'
import type { Config } from '../config/schema/index.js'
import { openStore } from '../store/open.js'
import { configFile, configuration } from './configuration.js'
import type { ExitCode, Io } from './io.js'

export async function check(options: { config?: string; online?: boolean }, io: Io): Promise<ExitCode> {
  const config = await configuration(options.config, io)
  if (!config) return 1
  const problems = options.online ? await tryOnline(config) : []
  for (const problem of problems) io.err(`${configFile(options.config, io.env)}: ${problem}`)
  if (problems.length > 0) return 1
  io.out(options.online ? 'The configuration is valid, and everything it names answers.' : 'The configuration is valid.')
  return 0
}

/** One line for each thing that does not answer; they are asked side by side. */
async function tryOnline(config: Config): Promise<string[]> {
  const found = await Promise.all([tryStore(config), tryDesk(config), ...config.providers.map(tryProvider)])
  return found.flat()
}

async function tryStore(config: Config): Promise<string[]> {
  const store = openStore(config.sessions.store, { clock: systemClock, log: createLog({ level: 'silent' }) })
  try {
    await store.probe()
    return []
  } catch (error) {
    return [`sessions.store: ${(error as Error).message}`]
  } finally {
    await store.close()
  }
}

async function tryDesk(config: Config): Promise<string[]> {
  const fetchText = createFetch()
  try {
    await fetchText.get(config.desk.url)
    return []
  } catch (error) {
    return [`desk.url: ${(error as Error).message}`]
  } finally {
    await fetchText.close()
  }
}

async function tryProvider(provider: Config['providers'][number], index: number): Promise<string[]> {
  const key = provider.type === 'saml' ? 'metadata' : 'jwks'
  const source = provider.type === 'saml' ? provider.metadata : provider.jwks
  if (!source || !('url' in source)) return []
  const fetchText = createFetch()
  try {
    await fetchText.get(source.url)
    return []
  } catch (error) {
    return [`providers[${index}].${key}: ${(error as Error).message}`]
  } finally {
    await fetchText.close()
  }
}
