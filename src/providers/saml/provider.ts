// A SAML 2.0 identity provider: sends browsers there and verifies its responses. The checks in order: the message, its
// sender, its signature, the assertion, the login that it answers, the agent. Access is never granted on unsigned data.

import type { SamlSettings } from '../../config/schema/providers.js'
import { type RecordCheck, runChecks } from '../../core/checks.js'
import type { Identity } from '../../core/identity.js'
import type { Attempt, CallbackRequest, Provider, Verdict } from '../../core/providers.js'
import { compileRoles, type RoleMapping } from '../attributes.js'
import { type CertificateWatch, createCertificateWatch, fingerprintOf, signingCertificateIn } from '../certificates.js'
import { originsOf, type Protocol, type ProviderDeps } from '../protocol.js'
import { handleSamlCallback } from '../select.js'
import { checkAuthentication, checkEmail, checkNameId, personIn } from './assertion/agent.js'
import { checkAssertion, checkSessionEnd, type SamlExpectations } from './assertion/checks.js'
import { attemptOf, checkInResponseTo, isAttemptMissing } from './assertion/in-response-to.js'
import type { AssertionFacts } from './assertion/read.js'
import { describeClock, samlTime } from './datetime.js'
import { createSamlLogout, type SamlLogout } from './logout/logout.js'
import { createMetadataSource, type IdpFacts, type MetadataSource } from './metadata/metadata.js'
import { createMetadataStoreCopy } from './metadata/store-copy.js'
import { checkMessage, checkSender, checkSignature, checkStructure } from './response/checks.js'
import { inResponseToIn, prescanOf, type ResponseSummary } from './response/prescan.js'
import { createServiceProvider, type ServiceProvider } from './service-provider.js'

export interface SamlDeps
  extends Pick<ProviderDeps, 'site' | 'acsUrl' | 'sloUrl' | 'verifySaml' | 'clock' | 'random' | 'log' | 'metrics'> {
  /** Needed when the settings name metadata; closed with the provider. */
  metadata?: MetadataSource
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
  roles: RoleMapping
}

/** Throws when a certificate or key file cannot be used: then the gateway does not start. */
export function createSamlProvider(settings: SamlSettings, deps: SamlDeps): SamlProvider {
  const entityId = settings.entityId ?? deps.site
  const sp = createServiceProvider(settings, { entityId, acsUrl: deps.acsUrl, log: deps.log })
  const idp = idpSource(settings, deps)
  const { id, name, logoutUrl } = settings
  const watch = createCertificateWatch({ ...deps, provider: id, certificates: () => idp()?.certificates ?? [] })
  const parts: Parts = { settings, deps, entityId, sp, idp, watch, roles: compileRoles(settings.roles) }
  void deps.metadata?.ready.then(watch.checkNow)
  if (settings.allowSha1) deps.log.warn({ provider: id }, 'SHA-1 signatures accepted because allowSha1 is set')
  const singleLogout = createSamlLogout({ ...deps, settings, entityId, idp, signer: sp.signer })

  return {
    id,
    name,
    type: 'saml',
    entityId,
    singleLogout,
    issuer: () => parts.idp()?.entityId ?? settings.issuer,
    ready: async () => deps.metadata?.ready,
    formTargets: () => originsOf([idp()?.loginUrl, idp()?.loginPostUrl, ...singleLogout.addresses(), logoutUrl]),
    begin: async attempt => sp.begin(attempt, idp(), deps.clock.now()),
    handleCallback: callback => handleCallback(parts, callback),
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
  const certificates = settings.certificates.map(({ path, text }) => {
    try {
      return signingCertificateIn(text)
    } catch {
      throw new Error(`provider ${settings.id}: ${path} is not a certificate`)
    }
  })
  const { issuer = '', loginUrl = '' } = settings
  if (issuer === '' || loginUrl === '') throw new Error(`provider ${settings.id}: issuer and loginUrl are needed`)
  return () => ({ entityId: issuer, loginUrl, certificates })
}

async function handleCallback(parts: Parts, callback: CallbackRequest): Promise<Verdict> {
  const { id } = parts.settings
  const prescan = prescanOf(callback)
  // Named by untrusted data, but an attempt of this browser: good enough to go back to its page, and for no more.
  const hint = 'summary' in prescan ? attemptOf(callback, id, inResponseToIn(prescan.summary)) : undefined
  const named = 'summary' in prescan && inResponseToIn(prescan.summary) !== undefined
  const known: { attemptMissing?: Identity['replayKey'] } = {}
  const result = await runChecks(async check => {
    const message = checkMessage(check, prescan, parts.settings)
    const idp = checkIdp(check, parts)
    checkSender(check, message.summary, idp.entityId)
    checkStructure(check, message.summary, parts.settings)
    const assertion = await checkSignature(check, parts, { ...message, maxBytes: callback.maxBytes }, idp)
    return checkVerified(
      check,
      parts,
      { assertion, response: message.summary, issuer: idp.entityId, outcome: known },
      callback,
    )
  })
  if ('reason' in result) {
    const { checks, reason } = result
    return { provider: id, checks, reason, unsolicited: !named, ...(hint ? { attempt: hint } : {}), ...known }
  }
  const { checks, value } = result
  const { identity, attempt } = value
  return { provider: id, checks, identity, unsolicited: attempt === undefined, ...(attempt ? { attempt } : {}) }
}

function checkIdp(check: RecordCheck, { settings, idp }: Parts): IdpFacts {
  const facts = idp()
  const setting = settings.metadata ? 'providers[].metadata' : 'providers[].issuer'
  check('metadata', { ok: facts !== undefined, reason: 'saml.metadata_unavailable', setting })
  return facts as IdpFacts
}

interface VerifiedResponse {
  assertion: AssertionFacts
  response: ResponseSummary
  issuer: string
  /** Gets the replay key of a response whose attempt this browser does not have. */
  outcome: { attemptMissing?: Identity['replayKey'] }
}

function checkVerified(
  check: RecordCheck,
  { settings, deps, entityId, watch, roles }: Parts,
  { assertion, response, issuer, outcome: known }: VerifiedResponse,
  callback: CallbackRequest,
): { identity: Identity; attempt: Attempt | undefined } {
  const now = deps.clock.now()
  const { id, attributes, clockSkew: skew } = settings
  const expected: SamlExpectations = { issuer, entityId, acsUrl: deps.acsUrl, now, skew }
  watch.checkNow()
  // Before the checks: the skew matters most for a login that fails because of the clocks.
  const issuedAt = samlTime(assertion.issueInstant)
  if (issuedAt !== undefined) deps.metrics.idpClockSkew(id, (issuedAt - now) / 1000)
  // Only reported; the checks of the times follow.
  check("identity provider's clock", { ok: true, reason: 'saml.expired', seen: describeClock(issuedAt, now) })
  const until = checkAssertion(check, assertion, response, expected)
  const notOnOrAfter = checkSessionEnd(check, assertion, { now })
  // SAML Profiles 4.1.4.5: the ID out of the signed bytes, however the message around it was written.
  const replayKey = { id: `saml:${id}:${assertion.id}`, until }
  if (isAttemptMissing({ assertion, response }, callback)) known.attemptMissing = replayKey
  const attempt = checkInResponseTo(check, { assertion, response }, callback, settings)
  const authentication = checkAuthentication(check, assertion.authnStatements, settings, { attempt, now })
  const nameId = checkNameId(check, assertion, attributes)
  const email = checkEmail(check, assertion, attributes)
  const sessionIndex = assertion.authnStatements.find(statement => statement.sessionIndex)?.sessionIndex
  const identity: Identity = {
    provider: id,
    email,
    ...personIn(check, assertion, attributes, roles),
    authentication,
    ...(issuedAt === undefined ? {} : { issuedAt }),
    replayKey,
    saml: {
      nameId,
      ...assertion.nameId,
      ...(sessionIndex === undefined ? {} : { sessionIndex }),
      ...(notOnOrAfter === undefined ? {} : { notOnOrAfter }),
    },
  }
  return { identity, attempt }
}

export const samlProtocol: Protocol<SamlSettings> = {
  type: 'saml',
  malformed: 'saml.malformed',
  replayed: 'saml.replayed',
  unselected: 'saml.issuer_unknown',
  messageFields: ['SAMLResponse'],
  create(settings, deps) {
    const { metadata } = settings
    if (!metadata) return createSamlProvider(settings, deps)
    return createSamlProvider(settings, { ...deps, metadata: createMetadata(settings, metadata, deps) })
  },
  handleCallback: handleSamlCallback,
}

function createMetadata(
  { id: provider, issuer, metadataCertificate }: SamlSettings,
  source: NonNullable<SamlSettings['metadata']>,
  deps: ProviderDeps,
): MetadataSource {
  const signers = metadataCertificate ? [signingCertificateIn(metadataCertificate.text)] : []
  const named = { provider, source, issuer, signers }
  if (!deps.metadataStore || !('url' in source)) return createMetadataSource({ ...deps, ...named })
  const identity = { provider, url: source.url, issuer, signers: signers.map(fingerprintOf) }
  const storeCopy = createMetadataStoreCopy(identity, { ...deps.metadataStore, clock: deps.clock })
  return createMetadataSource({ ...deps, ...named, storeCopy })
}
