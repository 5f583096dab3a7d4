// The identity providers that a configuration describes, and the registry of the protocols that they may speak.

import type { ProviderSettings } from '../config/schema/providers.js'
import type { Provider } from '../core/providers.js'
import { breakglassId } from './breakglass.js'
import { deskId } from './desk-login.js'
import { jwtProtocol } from './jwt/provider.js'
import { withRevocation } from './jwt/revocation-token.js'
import type { Protocol, ProviderDeps as ProtocolDeps } from './protocol.js'
import { samlProtocol } from './saml/provider.js'

/** Another protocol is one folder, and one line here. */
export const protocols: { readonly [Type in Provider['type']]: Protocol<Extract<ProviderSettings, { type: Type }>> } = {
  saml: samlProtocol,
  jwt: jwtProtocol,
}

export type ProviderInputs = Omit<ProtocolDeps, 'bearerAudiences'>

/**
 * In the order of the configuration; `reuse` may return a provider to take instead of a new one. Throws when a key or certificate
 * cannot be used; an IdP that is down is not a reason.
 */
export function createProviders(
  settings: readonly ProviderSettings[],
  inputs: ProviderInputs,
  reuse: (settings: ProviderSettings) => Provider | undefined = () => undefined,
): Provider[] {
  const deps = { ...inputs, bearerAudiences: bearerAudiencesOf(settings) }
  return settings.map(one => reuse(one) ?? createProvider(one, deps))
}

/** The registry gives each type the protocol of its own settings. */
function createProvider<S extends ProviderSettings>(settings: S, deps: ProtocolDeps): Provider {
  const protocol = protocols[settings.type] as Protocol<S>
  return withRevocation(protocol.create(settings, deps), settings, deps)
}

/** Whether sessions of this provider may go on; break-glass and Desk's own login cannot be removed. */
export function isConfigured(provider: string, settings: readonly { id: string }[]): boolean {
  return provider === breakglassId || provider === deskId || settings.some(({ id }) => id === provider)
}

/**
 * The audiences of tokens that are for the API and no login at any provider; also of a provider that is switched off. A
 * provider may be reused only while these have not changed.
 */
export function bearerAudiencesOf(settings: readonly ProviderSettings[]): string[] {
  return settings.flatMap(one => (one.type === 'jwt' ? (one.bearerAudience ?? []) : []))
}
