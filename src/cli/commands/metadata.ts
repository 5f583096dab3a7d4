// `deskgate metadata`: prints the SP metadata, for an identity provider to import.

import { systemClock } from '../../runtime/clock.js'
import { spMetadataOf } from '../../server/snapshot.js'
import type { ExitCode, Io } from '../io.js'
import { readConfiguration } from './configuration.js'

export async function printMetadata(options: { config?: string; provider?: string }, io: Io): Promise<ExitCode> {
  const config = await readConfiguration(options.config, io)
  if (!config) return 1
  const xml = spMetadataOf(config, options.provider, systemClock.now())
  if (xml === undefined) {
    io.err(
      options.provider === undefined
        ? 'no provider is of type saml'
        : `no provider of type saml has the id ${options.provider}`,
    )
    return 1
  }
  io.out(xml.trimEnd())
  return 0
}
