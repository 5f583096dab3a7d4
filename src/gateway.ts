// The composition root: the only file that knows every constructor. Reads from top to bottom in the order in which a
// request walks down the street. Opens no listener.

import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from './config/schema/index.js'
import type { Clock, Directory, Provider, Random, Sessions, Store } from './core/contracts.js'
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
import { handleOf } from './sessions/sessions.js'
import { deriveSigningKeys, signingKeysOf } from './sessions/signing-keys.js'
import { createAnswers } from './web/answers.js'
import { createAttempts } from './web/attempts.js'
import { createBearer } from './web/bearer.js'
import { createCookies } from './web/cookies.js'
import { createDeskLogout } from './web/desk-logout.js'
import { createDeskMarks } from './web/desk-marks.js'
import { createEntrance, type Entrance } from './web/entrance.js'
import { createIdentityWriter } from './web/identity.js'
import { createLasting, type Lasting } from './web/lasting.js'
import { keepAgentsLive } from './web/live-agents.js'
import { own } from './web/own.js'
import { createPaths } from './web/paths.js'
import { mountDesk } from './web/proxy.js'
import { createSignOut } from './web/sign-out.js'
import { createStreet } from './web/street.js'
import type { Generation } from './web/visit.js'
import { attachUpgrades } from './web/websocket.js'
import { createWindDown } from './web/wind-down.js'

/** What outlives a reload. */
export interface Parts {
  store: Store
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
}

export interface Gateway {
  /** Not yet listening. */
  app: FastifyInstance
  /** Who is an agent, by the configuration in force. */
  directory: Directory
  /** From now on each answer is the last on its connection. */
  windDown(): void
  /**
   * Stops accepting, closes WebSockets one by one, lets requests under way finish, ends what runs in the background. How
   * many connections were cut because they were still busy after `limit` milliseconds; without a limit none.
   */
  close(limit?: number): Promise<number>
}

/** How long a client may take for the head of a request, in milliseconds. */
const headTimeout = 20_000
/** How long an idle connection is kept, in milliseconds: longer than the minute of most load balancers. */
const keepAlive = 75_000

/** Throws when a key, a certificate or an agents file cannot be used; an IdP or a store that is down is no reason. */
export async function createGateway(config: Config, parts: Parts): Promise<Gateway> {
  const { clock, random, metrics, log, sessions } = parts
  const lasting = createLasting({ sessions, clock, settings: config.sessions })
  const generation = createGeneration(config, parts, lasting)
  const entrance = createEntrance({ current: () => generation, clock, metrics, log })
  const app = openServer(config, entrance.rewriteUrl)
  const connections = createWindDown(app.server)

  entrance.mount(app)
  await app.register(async context => {
    context.addHook('onRequest', entrance.ownOnly)
    await own(context, { ...parts, paths: generation.paths, handleOf, spMetadata: metadataOf(parts.clock) })
  })
  mountDesk(app, { entrance })
  await app.ready()
  const upgrades = attachUpgrades(app.server, { entrance, lasting, clock, random, metrics })
  const again = async () => {
    lasting.again()
    await upgrades.sweep()
  }
  const agents = keepAgentsLive({ current: () => generation, sessions, sweep: again, log })
  await agents.follow(generation.directory)

  return {
    app,
    directory: { find: email => generation.directory.find(email) },
    windDown: connections.begin,
    async close(limit) {
      connections.begin()
      agents.close()
      upgrades.closeAll(limit === undefined ? 0 : limit / 2)
      const cut = await connections.end(app.close(), limit)
      lasting.close()
      for (const provider of generation.providers) provider.close()
      generation.directory.close?.()
      await generation.street.close()
      return cut
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

function createGeneration(config: Config, parts: Parts, { longAnswers }: Lasting): Generation {
  const { keyring, sessions, clock, random, log } = parts
  const { publicUrl, prefix, desk } = config
  const paths = createPaths(prefix)
  const deskLogin = config.login.alsoAllowDeskAuthentication
  const cookies = createCookies({ publicUrl, prefix, desk: deskLogin ? deskLogin.cookie : undefined })
  const marks = deskLogin ? createDeskMarks({ settings: deskLogin, publicUrl, cookies, keyring, clock }) : undefined
  const files = config.identity.assertion.keys
  const keys = files.length > 0 ? signingKeysOf(files) : deriveSigningKeys(keyring.derive('identity-assertion', 48))
  const identity = createIdentityWriter({ settings: config.identity, publicUrl, deskOrigin: desk.url, keys, clock })
  const providers = gatewayProviders(config, { ...parts, keep: parts })
  const directory = openDirectory(config.agents, parts)
  const bearer = createBearer({ ...parts, providers, gate: { config, directory, identity } })
  const signOut = createSignOut({ ...parts, attempts: createAttempts(parts) })
  const deskLogout = createDeskLogout({ rules: desk.logout, publicUrl, signOut })
  const ways = { marks, bearer, deskLogout }
  return {
    config,
    paths,
    cookies,
    providers,
    directory,
    identity,
    answers: createAnswers(),
    street: createStreet({ config, paths, cookies, identity, sessions, handleOf, ...ways, longAnswers, random, log }),
    ...(deskLogin && marks ? { deskLogin: { way: createDeskLogin(deskLogin), marks } } : {}),
  }
}

function openServer(config: Config, rewriteUrl: Entrance['rewriteUrl']): FastifyInstance {
  const heads = { maxHeaderSize: config.limits.header, headersTimeout: headTimeout }
  const app = fastify({
    // Fastify hands these to the one server that it makes, and with `https` it leaves `http` aside.
    ...(config.tls ? { https: { ...heads, ...serverTls(config.tls) } } : { http: heads }),
    logger: false,
    rewriteUrl,
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    // A request that comes in on a kept connection while it closes is served: nobody could send it again.
    return503OnClosing: false,
    keepAliveTimeout: keepAlive,
    // No limit on the whole request: an upload to Desk may take long. The gateway's own forms have theirs.
    requestTimeout: 0,
  }) as unknown as FastifyInstance
  // Attack: Node drops what comes after 2000 lines in silence. The entrance counts, and refuses.
  app.server.maxHeadersCount = 0
  return app
}

function serverTls({ cert, key }: NonNullable<Config['tls']>) {
  return { cert: cert.text, key: key.text, minVersion: 'TLSv1.2' as const }
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
