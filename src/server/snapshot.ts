// Everything that a reload replaces, made from one configuration. What has not changed since the generation before goes on
// as it is, with what it has fetched.

import { saysTheSame } from '../config/changes.js'
import type { Config } from '../config/schema/index.js'
import type { Clock, Provider, Random, Sessions, Store } from '../core/contracts.js'
import { openDirectory } from '../directory/create.js'
import { deriveSigningKeys, signingKeysOf } from '../keys/assertion-keys.js'
import type { Keyring } from '../keys/keyring.js'
import type { Audit } from '../ops/audit.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { Dossiers } from '../ops/refused-logins.js'
import type { Breakglass } from '../providers/breakglass.js'
import { bearerAudiencesOf, openProviders, type ProviderDeps } from '../providers/create.js'
import { createDeskLogin } from '../providers/desk-login.js'
import type { VerifySaml } from '../providers/saml/signature/worker-pool.js'
import { spMetadataFor } from '../providers/saml/sp-metadata.js'
import type { FetchText } from '../runtime/http-client.js'
import { handleOf } from '../sessions/sessions.js'
import { createBearer } from '../web/access/bearer.js'
import type { LongAnswers } from '../web/access/live-responses.js'
import type { Generation } from '../web/context.js'
import { createDeskMarks } from '../web/desk-login/marker-cookies.js'
import { createIdentityWriter } from '../web/identity/headers.js'
import { createAttempts } from '../web/login/attempts.js'
import type { LoginLimit } from '../web/login/login-limit.js'
import { createDeskLogout } from '../web/logout/desk-logout.js'
import { createSignOut } from '../web/logout/sign-out.js'
import { createStreet } from '../web/proxy/pipeline.js'
import { createCookies } from '../web/request/cookies.js'
import { createPaths } from '../web/request/paths.js'
import { createAnswers } from '../web/responses/errors.js'

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

/** What a generation takes from outside its configuration. */
export interface From {
  /** With the secrets of this configuration. */
  keyring: Keyring
  longAnswers: LongAnswers
  /** The one before: what has not changed of it goes on. */
  before?: Generation
}

/** Throws when a key, a certificate or an agents file cannot be used. */
export function createGeneration(config: Config, parts: Parts, { keyring, longAnswers, before }: From): Generation {
  const { sessions, clock, random, log } = parts
  const { publicUrl, prefix, desk } = config
  const paths = createPaths(prefix)
  const deskLogin = config.login.alsoAllowDeskAuthentication
  const cookies = createCookies({ publicUrl, prefix, desk: deskLogin ? deskLogin.cookie : undefined })
  const marks = deskLogin
    ? createDeskMarks({ settings: deskLogin, publicUrl, cookies, keyring: parts.keyring, clock })
    : undefined
  const files = config.identity.assertion.keys
  const keys = files.length > 0 ? signingKeysOf(files) : deriveSigningKeys(keyring.derive('identity-assertion', 48))
  const identity = createIdentityWriter({ settings: config.identity, publicUrl, deskOrigin: desk.url, keys, clock })
  const providers = providersOf(config, parts, before)
  const sameAgents = before && saysTheSame(before.config.agents, config.agents)
  const directory = sameAgents ? before.directory : openDirectory(config.agents, parts)
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

/** A provider whose settings are the same goes on as it is, with the keys and the metadata that it has fetched. */
function providersOf(config: Config, parts: Parts, before: Generation | undefined): Provider[] {
  const shared = ({ publicUrl, site, providers }: Config) => [publicUrl, site, bearerAudiencesOf(providers)]
  const same = before && saysTheSame(shared(before.config), shared(config))
  const kept = (settings: Config['providers'][number]) => {
    const at = same ? before.config.providers.findIndex(one => saysTheSame(one, settings)) : -1
    return before?.providers[at]
  }
  return gatewayProviders(config, { ...parts, keep: parts }, kept)
}

/** The identity providers of a configuration, as the gateway itself runs them; `kept` as in openProviders. */
export function gatewayProviders(
  config: Config,
  deps: Omit<ProviderDeps, 'publicUrl' | 'site' | 'acsUrl' | 'sloUrl'>,
  kept?: (settings: Config['providers'][number]) => Provider | undefined,
): Provider[] {
  const { publicUrl, site = new URL(publicUrl).host } = config
  const { acs, slo } = createPaths(config.prefix)
  const addresses = { publicUrl, site, acsUrl: publicUrl + acs, sloUrl: publicUrl + slo }
  return openProviders(config.providers, { ...deps, ...addresses }, kept)
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

/** The same for the generation that a request has begun with. */
export function metadataOf(clock: Clock) {
  return ({ config }: Generation, id: string | undefined) => spMetadataOf(config, id, clock.now())
}
