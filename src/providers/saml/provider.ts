// A SAML 2.0 identity provider: sends a browser there, and judges what comes back. The ladder: the message, who sent
// it, its signature, what the assertion says, which login it answers, and who it is. Nothing unsigned is ever granted on.

import type { SamlSettings } from '../../config/schema/providers.js'
import { climb, type Step } from '../../core/checks.js'
import type { Attempt, Clock, Handover, Identity, Provider, Random, Verdict } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { certificatesIn } from '../certificates.js'
import { checkEmail, checkNameId, personIn } from './assertion/attributes.js'
import { checkAssertion, checkSessionEnd, type SamlExpectations } from './assertion/checks.js'
import { attemptOf, checkInResponseTo, isBereft } from './assertion/in-response-to.js'
import type { AssertionFacts } from './assertion/read.js'
import { clockOf, samlTime } from './datetime.js'
import { createSamlLogout, type SamlLogout } from './logout/logout.js'
import { type CertificateWatch, createCertificateWatch } from './metadata/certificate-watch.js'
import type { IdpFacts, MetadataSource } from './metadata/metadata.js'
import { checkSender, checkShape, checkStructure } from './response/checks.js'
import { inResponseToIn, type SamlFacts, scanSaml } from './response/prescan.js'
import { createServiceProvider, type ServiceProvider } from './service-provider.js'
import { checkSignature } from './signature/check.js'
import type { VerifySaml } from './signature/worker-pool.js'

export interface SamlDeps {
  /** The default entity ID. */
  site: string
  /** The one address that responses are for. */
  acsUrl: string
  /** The one address of single logout. */
  sloUrl: string
  /** Needed when the settings name metadata; closed with the provider. */
  metadata?: MetadataSource
  /** Off the event loop in a gateway. */
  verifySaml: VerifySaml
  clock: Clock
  random: Random
  log: Log
  metrics: Metrics
}

export interface SamlProvider extends Provider {
  readonly type: 'saml'
  /** The IdP's entity ID; undefined while its metadata could not be read. */
  issuer(): string | undefined
  /** What the IdP's administrator registers us as. */
  readonly entityId: string
  readonly singleLogout: SamlLogout
}

interface Parts {
  settings: SamlSettings
  deps: SamlDeps
  entityId: string
  sp: ServiceProvider
  idp(): IdpFacts | undefined
  watch: CertificateWatch
}

/** Throws when a certificate or key file cannot be used: then the gateway does not start. */
export function createSamlProvider(settings: SamlSettings, deps: SamlDeps): SamlProvider {
  const entityId = settings.entityId ?? deps.site
  const sp = createServiceProvider(settings, { entityId, acsUrl: deps.acsUrl, log: deps.log })
  const idp = idpSource(settings, deps)
  const { id, name, logoutUrl } = settings
  const watch = createCertificateWatch({ ...deps, provider: id, certificates: () => idp()?.certificates ?? [] })
  const parts: Parts = { settings, deps, entityId, sp, idp, watch }
  void deps.metadata?.ready.then(watch.look)
  if (settings.allowSha1) deps.log.warn({ provider: id }, 'SHA-1 signatures are accepted: allowSha1 is set')
  const singleLogout = createSamlLogout({ ...deps, settings, entityId, idp, signer: sp.signer })

  return {
    id,
    name,
    type: 'saml',
    entityId,
    singleLogout,
    issuer: () => parts.idp()?.entityId ?? settings.issuer,
    ready: async () => deps.metadata?.ready,
    formTargets: () => origins([idp()?.loginUrl, idp()?.loginPostUrl, ...singleLogout.addresses(), logoutUrl]),
    begin: async attempt => sp.begin(attempt, idp(), deps.clock.now()),
    accept: handover => accept(parts, handover),
    logout: session => singleLogout.begin(session) ?? (logoutUrl === undefined ? undefined : { redirect: logoutUrl }),
    close() {
      watch.close()
      deps.metadata?.close()
    },
  }
}

/** Whether a provider is one of these. */
export function isSaml(provider: Provider): provider is SamlProvider {
  return provider.type === 'saml'
}

/** Where the facts about the IdP come from: its metadata, or the settings. */
function idpSource(settings: SamlSettings, deps: SamlDeps): () => IdpFacts | undefined {
  const { metadata } = deps
  if (metadata) return () => metadata.current()
  if (settings.metadata) throw new Error(`provider ${settings.id}: its metadata source is missing`)
  const certificates = settings.certificates.flatMap(({ path, text }) => {
    try {
      return certificatesIn(text)
    } catch {
      throw new Error(`provider ${settings.id}: ${path} is no certificate`)
    }
  })
  const { issuer = '', loginUrl = '' } = settings
  if (issuer === '' || loginUrl === '') throw new Error(`provider ${settings.id}: issuer and loginUrl are needed`)
  return () => ({ entityId: issuer, loginUrl, certificates })
}

async function accept(parts: Parts, handover: Handover): Promise<Verdict> {
  const { id } = parts.settings
  const scan = scanSaml(handover.message)
  // Named by what is untrusted, but one of this browser's own: good enough to go back to its page, and for no more.
  const hint = 'facts' in scan ? attemptOf(handover, id, inResponseToIn(scan.facts)) : undefined
  const named = 'facts' in scan && inResponseToIn(scan.facts) !== undefined
  const known: { bereft?: Identity['claim'] } = {}
  const climbed = await climb(async step => {
    const message = checkShape(step, scan, parts.settings)
    const idp = checkIdp(step, parts)
    checkSender(step, message.facts, idp.entityId)
    checkStructure(step, message.facts, parts.settings)
    const assertion = await checkSignature(step, parts, message, idp)
    return judge(step, parts, { assertion, response: message.facts, issuer: idp.entityId, known }, handover)
  })
  if ('reason' in climbed) {
    const { checks, reason } = climbed
    return { provider: id, checks, reason, unsolicited: !named, ...(hint ? { attempt: hint } : {}), ...known }
  }
  const { checks, value } = climbed
  const { identity, attempt } = value
  return { provider: id, checks, identity, unsolicited: attempt === undefined, ...(attempt ? { attempt } : {}) }
}

function checkIdp(step: Step, { settings, idp }: Parts): IdpFacts {
  const facts = idp()
  const setting = settings.metadata ? 'providers[].metadata' : 'providers[].issuer'
  step('metadata', { ok: facts !== undefined, reason: 'saml.metadata_unavailable', setting })
  return facts as IdpFacts
}

interface Judged {
  assertion: AssertionFacts
  response: SamlFacts
  issuer: string
  /** Gets the claim of an answer whose login this browser does not hold. */
  known: { bereft?: Identity['claim'] }
}

function judge(
  step: Step,
  { settings, deps, entityId, watch }: Parts,
  { assertion, response, issuer, known }: Judged,
  handover: Handover,
): { identity: Identity; attempt: Attempt | undefined } {
  const now = deps.clock.now()
  const { id, attributes, clockSkew: skew } = settings
  const expected: SamlExpectations = { issuer, entityId, acsUrl: deps.acsUrl, now, skew }
  watch.look()
  // Before it is judged: a login that fails because of the clocks is the one whose skew is asked for.
  const issuedAt = samlTime(assertion.issueInstant)
  if (issuedAt !== undefined) deps.metrics.idpClockSkew(id, (issuedAt - now) / 1000)
  // Told, not judged: the times that follow are.
  step("identity provider's clock", { ok: true, reason: 'saml.expired', seen: clockOf(issuedAt, now) })
  const until = checkAssertion(step, assertion, response, expected)
  const notOnOrAfter = checkSessionEnd(step, assertion, { now })
  // SAML Profiles 4.1.4.5: the ID out of the signed bytes, however the message around it was written.
  const claim = { id: `saml:${id}:${assertion.id}`, until }
  if (isBereft({ assertion, response }, handover)) known.bereft = claim
  const attempt = checkInResponseTo(step, { assertion, response }, handover, settings)
  const nameId = checkNameId(step, assertion, attributes)
  const email = checkEmail(step, assertion, attributes)
  const sessionIndex = assertion.authnStatements.find(statement => statement.sessionIndex)?.sessionIndex
  const identity: Identity = {
    provider: id,
    email,
    ...personIn(assertion, attributes),
    claim,
    saml: {
      nameId,
      ...assertion.nameId,
      ...(sessionIndex === undefined ? {} : { sessionIndex }),
      ...(notOnOrAfter === undefined ? {} : { notOnOrAfter }),
    },
  }
  return { identity, attempt }
}

function origins(urls: Array<string | undefined>): string[] {
  return [...new Set(urls.flatMap(url => (url === undefined ? [] : new URL(url).origin)))]
}
