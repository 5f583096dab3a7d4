// What a protocol of identity providers brings along: it is one folder that exports a Protocol, and one line in the registry
// (create.ts).

import type { ProviderSettings } from '../config/schema/providers.js'
import type { Clock, Random } from '../core/clock.js'
import type { CallbackRequest, Provider, Verdict } from '../core/providers.js'
import type { Reason } from '../core/reasons.js'
import type { Store } from '../core/store.js'
import type { Keyring } from '../keys/keyring.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { FetchText } from '../runtime/http-client.js'
import type { VerifySaml } from './saml/signature/worker-pool.js'
import type { NoProvider } from './select.js'

export interface ProviderDeps {
  publicUrl: string
  /** The default SAML entity ID. */
  site: string
  /** The one address that SAML responses are for. */
  acsUrl: string
  /** Off the event loop in a gateway. */
  verifySaml: VerifySaml
  /** Where a copy of the metadata is stored, for a start while the IdP is down; without it there is no copy. */
  metadataStore?: { store: Store; keyring: Pick<Keyring, 'mac' | 'verifies'> }
  /** The one address of SAML single logout. */
  sloUrl: string
  /** The one address of revocation calls: the audience where none is configured. */
  revokeUrl: string
  clock: Clock
  random: Random
  fetchText: FetchText
  log: Log
  metrics: Metrics
  /** The audiences of bearer tokens, of every provider: a token for one of them is not a login anywhere. */
  bearerAudiences: readonly string[]
}

export interface Protocol<Settings extends ProviderSettings> {
  readonly type: Settings['type']
  /** For a message that cannot be read at all, and for one whose provider gives no reason. */
  readonly malformed: Reason
  /** For a message that was used before. */
  readonly replayed: Reason
  /** For a message that no provider can be selected for. */
  readonly unselected: Reason
  /** The form fields that may hold the message; the first one that is filled counts. */
  readonly messageFields: readonly string[]
  /** Throws when a key or certificate cannot be used; an identity provider that is down is not a reason. */
  create(settings: Settings, deps: ProviderDeps): Provider
  /** Has the provider that the message is for verify it, among those of this protocol. Undefined when there is none. */
  handleCallback(callback: CallbackRequest, providers: readonly Provider[]): Promise<Verdict | NoProvider | undefined>
}

/** For Provider.formTargets. */
export function originsOf(urls: readonly (string | undefined)[]): string[] {
  return [...new Set(urls.flatMap(url => (url === undefined ? [] : new URL(url).origin)))]
}
