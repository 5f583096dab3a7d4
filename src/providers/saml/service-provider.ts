// Our own side of a SAML connection: the key that signs and decrypts, and how a login begins. It never sees a response.

import { createPrivateKey } from 'node:crypto'
import type { SamlSettings } from '../../config/schema/providers.js'
import { Refused } from '../../core/checks.js'
import type { Attempt, Navigation } from '../../core/providers.js'
import type { Log } from '../../ops/log.js'
import { certificatesIn } from '../certificates.js'
import { escapeXml } from '../xml/characters.js'
import { requestId } from './assertion/in-response-to.js'
import { postForm, redirectUrl, type Signer } from './bindings.js'
import type { IdpFacts } from './metadata/metadata.js'
import { assertion, postBinding, protocol } from './namespaces.js'

export interface ServiceProvider {
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
  const signer = signerOf(settings, keyOf(settings))
  if (signRequests && !signer) throw new Error(`provider ${provider}: signRequests needs key and certificate`)
  let warned = false

  return {
    signer,
    begin(attempt, idp, now) {
      if (!idp) throw new Refused('saml.metadata_unavailable')
      const wanted = signRequests || idp.wantsSignedRequests === true
      if (wanted && !signer && !warned) {
        // Many say so in their metadata and take unsigned requests all the same.
        warned = true
        log.warn(
          { provider },
          'metadata of identity provider asks for signed requests; if it refuses unsigned ones, set key and certificate',
        )
      }
      const { loginUrl, loginPostUrl } = idp
      const plan = { id: requestId(attempt), now, loginUrl, loginPostUrl, entityId, acsUrl, authnContext }
      const { stepUp, otherAccount } = attempt
      const asked = {
        forceAuthn: forceAuthn || otherAccount !== undefined || stepUp !== undefined,
        ...(stepUp && stepUp.context.length > 0 ? { authnContext: stepUp.context } : {}),
      }
      return authnRequest({ ...plan, ...asked, signer: wanted ? signer : undefined }, attempt.id)
    },
  }
}

function keyOf({ id, key }: SamlSettings): string | undefined {
  if (!key) return undefined
  const rsa = readable(() => createPrivateKey(key.text).asymmetricKeyType === 'rsa')
  if (rsa !== true) throw new Error(`provider ${id}: ${key.path} is not an RSA key`)
  return key.text
}

function signerOf({ id, certificate }: SamlSettings, key: string | undefined): Signer | undefined {
  if (!certificate || key === undefined) return undefined
  const leaf = readable(() => certificatesIn(certificate.text)[0])
  if (!leaf) throw new Error(`provider ${id}: ${certificate.path} is not a certificate`)
  return { key, certificate: leaf.toString() }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

export interface AuthnRequestPlan {
  id: string
  /** Milliseconds since the epoch. */
  now: number
  /** HTTP-Redirect binding; this or the next is needed. */
  loginUrl?: string | undefined
  /** HTTP-POST binding. */
  loginPostUrl?: string | undefined
  entityId: string
  acsUrl: string
  forceAuthn: boolean
  /** AuthnContext classes to ask for; none leaves the choice to the provider. */
  authnContext: readonly string[]
  /** Signs the request; it goes unsigned without. */
  signer?: Signer | undefined
}

/** IIS, and with it ADFS, takes a query of 2,048 characters; old proxies take an address of as many. */
const longestUrl = 2048

/**
 * The AuthnRequest (SAML Core 3.4.1). It goes by redirect where it can: no page of ours is between then. How the
 * browser leaves for the provider. `relayState` has at most 80 bytes (SAML Bindings 3.4.3).
 */
function authnRequest(plan: AuthnRequestPlan, relayState: string): Navigation {
  const { loginUrl, loginPostUrl, signer } = plan
  const message = (to: string) => ({ field: 'SAMLRequest' as const, to, xml: authnRequestXml(plan, to), relayState })
  const redirect = loginUrl === undefined ? undefined : redirectUrl(message(loginUrl), signer)
  if (redirect !== undefined && (redirect.length <= longestUrl || loginPostUrl === undefined)) return { redirect }
  if (loginPostUrl === undefined) throw new Error('neither loginUrl nor loginPostUrl')
  return postForm(message(loginPostUrl), signer)
}

/**
 * The request itself. No NameID format is asked for: ADFS and SimpleSAMLphp refuse a format they are not set up for,
 * and every provider has a default.
 */
function authnRequestXml(plan: AuthnRequestPlan, destination: string): string {
  const force = plan.forceAuthn ? ' ForceAuthn="true"' : ''
  return [
    `<samlp:AuthnRequest xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${escapeXml(plan.id)}" Version="2.0"`,
    ` IssueInstant="${new Date(plan.now).toISOString()}" Destination="${escapeXml(destination)}"${force}`,
    ` ProtocolBinding="${postBinding}" AssertionConsumerServiceURL="${escapeXml(plan.acsUrl)}">`,
    `<saml:Issuer>${escapeXml(plan.entityId)}</saml:Issuer><samlp:NameIDPolicy AllowCreate="true"/>`,
    requestedContext(plan.authnContext),
    '</samlp:AuthnRequest>',
  ].join('')
}

function requestedContext(classes: readonly string[]): string {
  if (classes.length === 0) return ''
  const references = classes.map(one => `<saml:AuthnContextClassRef>${escapeXml(one)}</saml:AuthnContextClassRef>`)
  return `<samlp:RequestedAuthnContext Comparison="exact">${references.join('')}</samlp:RequestedAuthnContext>`
}
