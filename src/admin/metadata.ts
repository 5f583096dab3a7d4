// `deskgate metadata`: the SP metadata that an identity provider imports.

import { spMetadata } from '../providers/sp-metadata.js'
import { createPaths } from '../web/paths.js'
import { configuration } from './configuration.js'
import type { ExitCode, Io } from './io.js'

export async function printMetadata(options: { config?: string; provider?: string }, io: Io): Promise<ExitCode> {
  const config = await configuration(options.config, io)
  if (!config) return 1
  const saml = config.providers.filter(provider => provider.type === 'saml')
  const provider = options.provider === undefined ? saml[0] : saml.find(({ id }) => id === options.provider)
  if (!provider) {
    io.err(
      options.provider === undefined
        ? 'no provider is of type saml'
        : `no provider of type saml has the id ${options.provider}`,
    )
    return 1
  }
  const site = config.site ?? new URL(config.publicUrl).host
  const { acs, slo } = createPaths(config.prefix)
  const addresses = { acsUrl: config.publicUrl + acs, sloUrl: config.publicUrl + slo }
  io.out(spMetadata({ entityId: provider.entityId ?? site, ...addresses }).trimEnd())
  return 0
}
