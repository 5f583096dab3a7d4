// `deskgate check --online`: tries everything that the configuration names, all at once: what the gateway itself calls, and
// what only browsers go to. The second may well be out of reach for this host, so that its silence is a warning.

import { Agent, type Dispatcher, request } from 'undici'
import type { Finding, Path } from '../../config/problems.js'
import { certificateDates } from '../../config/rules/pem.js'
import type { AgentSource } from '../../config/schema/agents.js'
import type { Config } from '../../config/schema/index.js'
import type { Revalidate, Sessions } from '../../core/sessions.js'
import { openDirectory } from '../../directory/directory.js'
import { createKeyring } from '../../keys/keyring.js'
import { createLog } from '../../ops/log.js'
import { createMetrics } from '../../ops/metrics.js'
import { signingCertificateIn } from '../../providers/certificates.js'
import { isConfigured } from '../../providers/create.js'
import { isRehearsal } from '../../providers/rehearsal.js'
import { readMetadata } from '../../providers/saml/metadata/facts.js'
import { type IdpFacts, metadataLimits } from '../../providers/saml/metadata/metadata.js'
import { systemClock, systemRandom } from '../../runtime/clock.js'
import { createHttpClient, openAgent } from '../../runtime/http-client.js'
import { createSessions, everySession } from '../../sessions/sessions.js'
import { openStore } from '../../store/open.js'
import { shownAddress } from '../../store/redis/url.js'
import { deskTls } from '../../web/proxy/upstream.js'

/** One address that was tried. */
export interface Trial {
  path: Path
  /** Without user, password and query. */
  address: string
  /** `browsers`: the gateway never calls it. */
  neededBy: 'gateway' | 'browsers'
  /** Why it cannot be used; undefined when it can. */
  problem?: string
  hint?: string
  /** What will become a problem, or what the configuration changes. */
  warnings: Finding[]
}

type Provider = Config['providers'][number]

/** The longest wait for one address, in milliseconds. */
const patience = 5_000

/** In the order of the configuration's reference; everything is asked at once. */
export async function tryOnline(config: Config): Promise<Trial[]> {
  const browsers = openAgent()
  try {
    const trials = await Promise.all([
      forBrowsers(browsers, ['publicUrl'], config.publicUrl),
      tryDesk(config),
      ...config.providers.map((provider, index) => tryProvider(browsers, provider, index)),
      ...config.agents.map(trySource),
      tryStore(config),
    ])
    return trials.flat()
  } finally {
    await browsers.destroy()
  }
}

/** Any response will do, whatever its status. */
async function tryDesk({ desk }: Config): Promise<Trial[]> {
  const agent = new Agent({ connect: { ...(deskTls(desk) as object), timeout: patience } })
  const problem = await noAnswer(agent, desk.url)
  await agent.destroy()
  const hint = 'is Desk running, and does this host reach it?'
  const failure = problem === undefined ? {} : { problem, hint }
  return [{ path: ['desk', 'url'], address: desk.url, neededBy: 'gateway', warnings: [], ...failure }]
}

/** Metadata or keys, which the gateway fetches, and the pages that it sends browsers to. */
async function tryProvider(agent: Dispatcher, provider: Provider, index: number): Promise<Trial[]> {
  const at = (key: string): Path => ['providers', index, key]
  const fetched = await tryFetched(provider, at)
  const { facts } = fetched
  const pages = Object.entries({
    loginUrl: facts?.loginUrl ?? facts?.loginPostUrl ?? provider.loginUrl,
    sloUrl: facts?.sloUrl ?? (provider.type === 'saml' ? provider.sloUrl : undefined),
    logoutUrl: provider.logoutUrl,
  })
  const origins = new Set(fetched.trials.map(({ address }) => new URL(address).origin))
  const trials = pages.map(([key, url]) => {
    // One answer stands for all pages of a host.
    if (url === undefined || origins.has(new URL(url).origin)) return []
    origins.add(new URL(url).origin)
    return forBrowsers(agent, at(facts && key !== 'logoutUrl' ? 'metadata' : key), url)
  })
  return [...fetched.trials, ...(await Promise.all(trials)).flat()]
}

/** Why what the gateway fetches from a provider cannot be used; undefined when it can. */
export async function readFetched(provider: Provider): Promise<string | undefined> {
  const { trials } = await tryFetched(provider, key => [key])
  return trials[0]?.problem
}

async function tryFetched(
  provider: Provider,
  at: (key: string) => Path,
): Promise<{ trials: Trial[]; facts?: IdpFacts }> {
  const [key, source] =
    provider.type === 'saml' ? (['metadata', provider.metadata] as const) : (['jwks', provider.jwks] as const)
  if (!source || !('url' in source)) return { trials: [] }
  const fetchText = createHttpClient()
  const now = systemClock.now()
  let facts: IdpFacts | undefined
  const outcome = await outcomeOf(async () => {
    const { text } = await fetchText(source.url, metadataLimits)
    if (provider.type === 'saml') facts = readMetadata(text, { ...expectedMetadata(provider), now })
  })
  await fetchText.close()
  const warnings = (facts?.certificates ?? []).flatMap(certificate => {
    const dates = certificateDates(certificate, now)
    return dates === undefined ? [] : [{ path: at(key), message: `contains a signing certificate that ${dates}` }]
  })
  const trial: Trial = { path: at(key), address: shown(source.url), neededBy: 'gateway', warnings, ...outcome }
  return { trials: [trial], ...(facts ? { facts } : {}) }
}

function expectedMetadata({ issuer, metadataCertificate }: Extract<Provider, { type: 'saml' }>) {
  return { issuer, signers: metadataCertificate ? [signingCertificateIn(metadataCertificate.text)] : [] }
}

/** A directory behind a URL: its list is read once, or one address looked up that nobody has. */
async function trySource(source: AgentSource, index: number): Promise<Trial[]> {
  if (!('http' in source)) return []
  const fetchText = createHttpClient()
  const log = createLog({ level: 'silent' })
  const deps = { fetchText, clock: systemClock, random: systemRandom, log, metrics: createMetrics() }
  const directory = openDirectory([source], deps)
  const outcome = await outcomeOf(async () => {
    await directory.ready()
    await directory.find('nobody@example.invalid')
  })
  directory.close()
  await fetchText.close()
  const address = shown(source.http.url)
  return [{ path: ['agents', index, 'http', 'url'], address, neededBy: 'gateway', warnings: [], ...outcome }]
}

async function forBrowsers(agent: Dispatcher, path: Path, url: string): Promise<Trial[]> {
  const { origin } = new URL(url)
  const problem = await noAnswer(agent, origin)
  const hint = hintFor(path, problem ?? '')
  const failure = problem === undefined ? {} : { problem, hint }
  return [{ path, address: shown(url), neededBy: 'browsers', warnings: [], ...failure }]
}

function hintFor(path: Path, problem: string): string {
  if (/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)/.test(problem))
    return 'the server answers, but its certificate is not trusted: if you have your own authority, set NODE_EXTRA_CA_CERTS=FILE'
  const network = "only browsers have to reach it: try it from an agent's network"
  return path[0] === 'publicUrl'
    ? `before the gateway and its front are started, nothing answers there; ${network}`
    : network
}

/** Undefined when something answers, whatever it says. */
async function noAnswer(dispatcher: Dispatcher, url: string): Promise<string | undefined> {
  const signal = AbortSignal.timeout(patience)
  try {
    const answer = await request(url, { method: 'HEAD', dispatcher, signal })
    await answer.body.dump()
    return undefined
  } catch (error) {
    const { code, name } = error as Error & { code?: string }
    const why = signal.aborted ? `no response within ${patience / 1000} s` : typeof code === 'string' ? code : name
    return `${shown(url)} does not answer: ${why}`
  }
}

async function outcomeOf(trial: () => Promise<void>): Promise<Pick<Trial, 'problem'>> {
  try {
    await trial()
    return {}
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

/** Attack: what stands before the host or after the path may be a secret. */
function shown(address: string): string {
  const { origin, pathname } = new URL(address)
  return pathname === '/' ? origin : origin + pathname.replaceAll('%7Bemail%7D', '{email}')
}

/**
 * Whether the store works as the gateway uses it, and how many sessions in it the configuration ends. Nothing is changed
 * there but what the store cleans up anyway.
 */
async function tryStore(config: Config): Promise<Trial[]> {
  const { publicUrl, sessions: settings } = config
  const address = shownAddress(settings.store)
  if (address === undefined) return []
  const shared = { clock: systemClock, random: systemRandom, log: createLog({ level: 'silent' }) }
  const store = openStore(settings.store, shared)
  const secrets = config.secrets.map(secret => secret.reveal())
  const own = { store, keyring: createKeyring(secrets, shared), publicUrl, settings }
  const revalidate: Revalidate = session => session
  // It subscribes, so that the probe tries the channel as well.
  const sessions = createSessions({ ...shared, ...own, metrics: createMetrics(), revalidate, audit: () => {} })
  const warnings: Finding[] = []
  const outcome = await outcomeOf(async () => {
    await store.probe()
    warnings.push(...orphanFindings(await countOrphans(sessions, config)))
  })
  await store.close()
  return [{ path: ['sessions', 'store'], address, neededBy: 'gateway', warnings, ...outcome }]
}

/** The live sessions of providers that are not configured, by provider. */
async function countOrphans(sessions: Sessions, { providers }: Config): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const { provider } of everySession(sessions, 'all')) {
    if (!isConfigured(provider, providers) && !isRehearsal(provider))
      counts.set(provider, (counts.get(provider) ?? 0) + 1)
  }
  return counts
}

function orphanFindings(counts: Map<string, number>): Finding[] {
  if (counts.size === 0) return []
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const each = [...counts].map(([provider, count]) => `${provider}: ${count}`).join(', ')
  const sessions = total === 1 ? '1 live session belongs' : `${total} live sessions belong`
  const message = `${sessions} to providers that are not configured (${each})`
  const hint = `${total === 1 ? 'it ends' : 'they end'} when the gateway runs with this configuration`
  return [{ path: ['providers'], message, hint }]
}
