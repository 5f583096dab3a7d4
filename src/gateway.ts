// The composition root: the only file that knows every constructor. Reads from top to bottom in the order in which a
// request walks down the street. Opens no listener.

import type { FastifyInstance } from 'fastify'
import { saysTheSame } from './config/changes.js'
import type { Config } from './config/schema/index.js'
import type { Clock, Directory, Provider, Random, Sessions, Store } from './core/contracts.js'
import { agentOf } from './directory/agent-of.js'
import { openDirectory } from './directory/open.js'
import type { Audit } from './ops/audit.js'
import type { Dossiers } from './ops/dossiers.js'
import type { FetchText } from './ops/fetch.js'
import type { Log } from './ops/log.js'
import type { Metrics } from './ops/metrics.js'
import type { Breakglass } from './providers/breakglass.js'
import { createDeskLogin } from './providers/desk-login.js'
import { openProviders, type ProviderDeps } from './providers/open.js'
import type { VerifySaml } from './providers/saml/pool.js'
import { spMetadataFor } from './providers/saml/sp-metadata.js'
import type { Keyring } from './sessions/keyring.js'
import { createPublishedKeys, type PublishedKeys } from './sessions/published-keys.js'
import { handleOf } from './sessions/sessions.js'
import { deriveSigningKeys, signingKeysOf } from './sessions/signing-keys.js'
import { createAnswers } from './web/answers.js'
import { createCookies } from './web/cookies.js'
import { createDeskMarks } from './web/desk-marks.js'
import { createEntrance } from './web/entrance.js'
import { createGenerations, type Generations } from './web/generations.js'
import { createIdentityWriter } from './web/identity.js'
import { openListener } from './web/listener.js'
import type { LoginLimit } from './web/login-limit.js'
import { own } from './web/own.js'
import { createPaths } from './web/paths.js'
import { mountDesk } from './web/proxy.js'
import { createStreet } from './web/street.js'
import type { Generation } from './web/visit.js'
import { attachUpgrades } from './web/websocket.js'

/** What outlives a reload. */
export interface Parts {
  store: Store
  /** Stays the same object when its secrets change. */
  keyring: Keyring
  sessions: Sessions
  dossiers: Dossiers
  breakglass: Breakglass
  fetchText: FetchText
  verifySaml: VerifySaml
  clock: Clock
  random: Random
  log: Log
  audit: Audit
  metrics: Metrics
  /** Holds clients to a number of refused logins. */
  limit?: LoginLimit
  /** Whether there is more work than can be done. */
  shedding?: () => boolean
}

/** A generation that is ready to be begun with, and has not been. */
export interface Prepared {
  /** From now on requests begin with it. */
  take(): void
  /** Closes what it opened. */
  drop(): Promise<void>
}

export interface Gateway {
  /** Not yet listening. */
  app: FastifyInstance
  /** Who is an agent, by the configuration in force. */
  directory: Directory
  /** What requests that begin now are answered by. */
  config(): Config
  /**
   * Builds the next generation, and waits until its new providers have read what they fetch (or could not). `keyring`
   * holds the secrets of the next configuration. Rejects like createGateway.
   */
  prepare(config: Config, keyring: Keyring): Promise<Prepared>
  /** Stops accepting, cuts WebSockets, lets requests under way finish, ends what runs in the background. */
  close(): Promise<void>
}

/** Throws when a key, a certificate or an agents file cannot be used; an IdP or a store that is down is no reason. */
export async function createGateway(config: Config, parts: Parts): Promise<Gateway> {
  const published = createPublishedKeys(parts)
  const generations = createGenerations(createGeneration(config, parts, parts), parts)
  const { clock, metrics, log, sessions, shedding } = parts
  const entrance = createEntrance({
    current: generations.enter,
    over: generations.leave,
    ...(shedding ? { shedding } : {}),
    clock,
    metrics,
    log,
  })
  const app = openListener(config, entrance.rewriteUrl)

  entrance.mount(app)
  await app.register(async context => {
    context.addHook('onRequest', entrance.ownOnly)
    const { paths } = generations.current()
    const jwks = ({ identity }: Generation) => ({ keys: published.with(identity.jwks().keys) })
    await own(context, { ...parts, paths, handleOf, agentOf, spMetadata: metadataOf(parts.clock), jwks })
  })
  mountDesk(app, { entrance })
  await app.ready()
  const upgrades = attachUpgrades(app.server, { entrance, sessions, clock, metrics })

  return {
    app,
    directory: { find: email => generations.current().directory.find(email) },
    config: () => generations.current().config,
    prepare: (next, keyring) => prepare(next, parts, { generations, published, keyring }),
    async close() {
      upgrades.closeAll()
      await app.close()
      await generations.close()
    },
  }
}

async function prepare(
  config: Config,
  parts: Parts,
  { generations, published, keyring }: { generations: Generations; published: PublishedKeys; keyring: Keyring },
): Promise<Prepared> {
  const before = generations.current()
  const next = createGeneration(config, parts, { keyring, before })
  const added = next.providers.filter(provider => !before.providers.includes(provider))
  await Promise.all([...added.map(provider => provider.ready?.()), next.directory.ready?.()])
  return {
    take() {
      // Assertions that were signed with the old keys are still on their way to Desk.
      published.keep(before.identity.jwks().keys, before.config.identity.assertion.ttl)
      generations.swap(next)
      const named = new Set(next.providers.map(({ id }) => id))
      for (const { id } of before.providers) if (!named.has(id)) parts.metrics.forget(id)
    },
    async drop() {
      for (const provider of added) provider.close()
      if (next.directory !== before.directory) next.directory.close?.()
      await next.street.close()
    },
  }
}

/** The identity providers of a configuration, as the gateway itself runs them. */
export function gatewayProviders(
  config: Config,
  deps: Omit<ProviderDeps, 'publicUrl' | 'site' | 'acsUrl' | 'sloUrl'>,
): Provider[] {
  const { publicUrl, site = new URL(publicUrl).host } = config
  const { acs, slo } = createPaths(config.prefix)
  return openProviders(config.providers, { ...deps, publicUrl, site, acsUrl: publicUrl + acs, sloUrl: publicUrl + slo })
}

/** What a generation takes from outside its configuration. */
interface From {
  /** With the secrets of this configuration. */
  keyring: Keyring
  /** The one before: what has not changed of it goes on. */
  before?: Generation
}

function createGeneration(config: Config, parts: Parts, { keyring, before }: From): Generation {
  const { sessions, clock, random, log } = parts
  const { publicUrl, prefix, desk } = config
  const sameAgents = before && saysTheSame(before.config.agents, config.agents)
  const paths = createPaths(prefix)
  const deskLogin = config.login.alsoAllowDeskAuthentication
  const cookies = createCookies({ publicUrl, prefix, desk: deskLogin ? deskLogin.cookie : undefined })
  const marks = deskLogin
    ? createDeskMarks({ settings: deskLogin, publicUrl, cookies, keyring: parts.keyring, clock })
    : undefined
  const files = config.identity.assertion.keys
  const keys = files.length > 0 ? signingKeysOf(files) : deriveSigningKeys(keyring.derive('identity-assertion', 48))
  const identity = createIdentityWriter({ settings: config.identity, publicUrl, deskOrigin: desk.url, keys, clock })
  return {
    config,
    paths,
    cookies,
    providers: providersOf(config, parts, before),
    directory: sameAgents ? before.directory : openDirectory(config.agents, { log }),
    identity,
    answers: createAnswers(),
    street: createStreet({ config, paths, cookies, identity, sessions, handleOf, marks, random, log }),
    ...(deskLogin && marks ? { deskLogin: { way: createDeskLogin(deskLogin), marks } } : {}),
  }
}

/** A provider whose settings are the same goes on as it is, with the keys and the metadata that it has fetched. */
function providersOf(config: Config, parts: Parts, before: Generation | undefined): Provider[] {
  const kept = before && before.config.publicUrl === config.publicUrl && before.config.site === config.site
  return config.providers.flatMap(settings => {
    const at = kept ? before.config.providers.findIndex(one => saysTheSame(one, settings)) : -1
    const provider = before?.providers[at]
    return provider ?? gatewayProviders({ ...config, providers: [settings] }, { ...parts, keep: parts })
  })
}

/** The SP metadata for a provider, or for the first; undefined when there is none. */
export function spMetadataOf({ publicUrl, prefix, site, providers }: Config, id: string | undefined, now: number) {
  const paths = createPaths(prefix)
  return spMetadataFor(providers, id, {
    site: site ?? new URL(publicUrl).host,
    acsUrl: publicUrl + paths.acs,
    sloUrl: publicUrl + paths.slo,
    now,
  })
}

function metadataOf(clock: Clock) {
  return ({ config }: Generation, id: string | undefined) => spMetadataOf(config, id, clock.now())
}
