// `deskgate metadata`: prints the SP metadata, for an identity provider to import.

import type { Config } from '../../config/schema/index.js'
import { systemClock } from '../../runtime/clock.js'
import { spMetadataOf } from '../../server/config-snapshot.js'
import { type ExitCode, escapeControls, type Io } from '../io.js'
import { readConfiguration } from './configuration.js'

export async function printMetadata(options: { config?: string; provider?: string }, io: Io): Promise<ExitCode> {
  const config = await readConfiguration(options.config, io)
  if (!config) return 1
  const xml = spMetadataOf(config, options.provider, systemClock.now())
  if (xml === undefined) {
    io.err(noMetadata(config, options.provider))
    return 1
  }
  io.out(xml.trimEnd())
  return 0
}

function noMetadata({ providers }: Config, asked: string | undefined): string {
  const known = providers.filter(({ type }) => type === 'saml').map(({ id }) => id)
  if (known.length === 0) return 'no provider is of type saml: there is no SAML metadata to print'
  return `no provider of type saml has the id ${escapeControls(asked ?? '')}: --provider takes ${known.join(', ')}`
}
