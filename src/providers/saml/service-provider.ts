// Our own side of a SAML connection: the key that signs and decrypts, and how a login begins. It never sees a response.

import { createPrivateKey } from 'node:crypto'
import type { SamlSettings } from '../../config/schema/providers.js'
import { Refused } from '../../core/checks.js'
import type { Attempt, Navigation } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import { certificatesIn } from '../certificates.js'
import { requestId } from './assertion/in-response-to.js'
import { authnRequest } from './authn-request.js'
import type { Signer } from './bindings.js'
import type { IdpFacts } from './metadata/metadata.js'

export interface ServiceProvider {
  /** PEM; undefined without a key. */
  readonly key: string | undefined
  /** Signs what we send; undefined without a key or without a certificate. */
  readonly signer: Signer | undefined
  /** Throws Refused when nothing is known of the identity provider. */
  begin(attempt: Attempt, idp: IdpFacts | undefined, now: number): Navigation
}

/** Throws when the key or the certificate cannot be used. */
export function createServiceProvider(
  settings: SamlSettings,
  { entityId, acsUrl, log }: { entityId: string; acsUrl: string; log: Log },
): ServiceProvider {
  const { id: provider, forceAuthn, authnContext, signRequests } = settings
  const key = keyOf(settings)
  const signer = signerOf(settings, key)
  if (signRequests && !signer) throw new Error(`provider ${provider}: signRequests needs key and certificate`)
  let warned = false

  return {
    key,
    signer,
    begin(attempt, idp, now) {
      if (!idp) throw new Refused('saml.metadata_unavailable')
      const wanted = signRequests || idp.wantsSignedRequests === true
      if (wanted && !signer && !warned) {
        // Many say so in their metadata and take unsigned requests all the same.
        warned = true
        log.warn({ provider }, 'identity provider requires signed requests; set key and certificate')
      }
      const { loginUrl, loginPostUrl } = idp
      const plan = { id: requestId(attempt), now, loginUrl, loginPostUrl, entityId, acsUrl, forceAuthn, authnContext }
      return authnRequest({ ...plan, signer: wanted ? signer : undefined }, attempt.id)
    },
  }
}

function keyOf({ id, key }: SamlSettings): string | undefined {
  if (!key) return undefined
  const rsa = readable(() => createPrivateKey(key.text).asymmetricKeyType === 'rsa')
  if (rsa !== true) throw new Error(`provider ${id}: ${key.path} is no RSA key`)
  return key.text
}

function signerOf({ id, certificate }: SamlSettings, key: string | undefined): Signer | undefined {
  if (!certificate || key === undefined) return undefined
  const leaf = readable(() => certificatesIn(certificate.text)[0])
  if (!leaf) throw new Error(`provider ${id}: ${certificate.path} is no certificate`)
  return { key, certificate: leaf.toString() }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
