// `deskgate check`: prints every problem of a configuration, and with --online everything that cannot be reached.

import { Agent, request } from 'undici'
import { type Finding, formatProblem } from '../../config/load.js'
import type { Config } from '../../config/schema/index.js'
import { certificatesIn } from '../../providers/certificates.js'
import { metadataLimits } from '../../providers/saml/metadata/location.js'
import { readMetadata } from '../../providers/saml/metadata/metadata.js'
import { systemClock } from '../../runtime/clock.js'
import { createHttpClient } from '../../runtime/http-client.js'
import type { ExitCode, Io } from '../io.js'
import { checkStore, type StoreFindings } from './check-store.js'
import { readPlacedConfiguration } from './configuration.js'

export async function check(options: { config?: string; online?: boolean }, io: Io): Promise<ExitCode> {
  const loaded = await readPlacedConfiguration(options.config, io)
  if (!loaded) return 1
  const { problems, warnings } = options.online ? await tryOnline(loaded.config) : { problems: [], warnings: [] }
  for (const warning of warnings) io.err(`warning: ${formatProblem(loaded.place(warning))}`)
  for (const problem of problems) io.err(formatProblem(loaded.place(problem)))
  if (problems.length > 0) return 1
  io.out(
    options.online ? 'The configuration is valid, and everything it names answers.' : 'The configuration is valid.',
  )
  return 0
}

/** Everything that does not answer; all are asked at once. */
async function tryOnline(config: Config): Promise<StoreFindings> {
  const [store, ...found] = await Promise.all([
    checkStore(config),
    tryDesk(config),
    ...config.providers.map(tryProvider),
  ])
  return { ...store, problems: [...store.problems, ...found.flat()] }
}

/** Any response will do, whatever its status. */
async function tryDesk({ desk }: Config): Promise<Finding[]> {
  const { ca, cert, key, serverName } = desk.tls ?? {}
  const agent = new Agent({
    connect: {
      rejectUnauthorized: true,
      timeout: 5_000,
      ...(ca ? { ca: ca.text } : {}),
      ...(cert ? { cert: cert.text } : {}),
      ...(key ? { key: key.text } : {}),
      ...(serverName ? { servername: serverName } : {}),
    },
  })
  try {
    const answer = await request(desk.url, { method: 'HEAD', dispatcher: agent, headersTimeout: 5_000 })
    await answer.body.dump()
    return []
  } catch (error) {
    const why = (error as Error & { code?: string }).code ?? (error as Error).name
    const message = `${desk.url} does not answer: ${why}`
    return [{ path: ['desk', 'url'], message, hint: 'is Desk running, and does this host reach it?' }]
  } finally {
    await agent.destroy()
  }
}

async function tryProvider(provider: Config['providers'][number], index: number): Promise<Finding[]> {
  const [key, source] =
    provider.type === 'saml' ? (['metadata', provider.metadata] as const) : (['jwks', provider.jwks] as const)
  if (!source || !('url' in source)) return []
  const fetchText = createHttpClient()
  try {
    const { text } = await fetchText(source.url, metadataLimits)
    if (provider.type === 'saml') readMetadata(text, { ...expectedMetadata(provider), now: systemClock.now() })
    return []
  } catch (error) {
    return [{ path: ['providers', index, key], message: (error as Error).message }]
  } finally {
    await fetchText.close()
  }
}

function expectedMetadata({ issuer, metadataCertificate }: Extract<Config['providers'][number], { type: 'saml' }>) {
  return { issuer, signers: metadataCertificate ? certificatesIn(metadataCertificate.text) : [] }
}
