// The closed list of reasons for which a login is refused: its code, its status, and what the operator should look at.
// Sentences for agents are not here: they are texts (web/pages/i18n), keyed by the same codes.

const hints = {
  'jwt.malformed':
    'The posted form holds no compact JWS of at most 16 kB. Check that the provider posts the token in the field "jwt".',
  'jwt.algorithm_not_allowed':
    'The token names an algorithm that this provider may not use. See providers[].algorithms.',
  'jwt.signature_invalid':
    'No configured key verifies the token. Compare providers[].secrets or jwks with the key that the provider signs with.',
  'jwt.keys_unavailable':
    "The provider's JWKS could not be fetched. Check providers[].jwks and that this host reaches it.",
  'jwt.claim_missing': 'A required claim is missing: email, iat and jti must be there.',
  'jwt.claim_invalid': 'A claim has the wrong type or an unusable value.',
  'jwt.expired': "The token's exp lies in the past. Compare the clocks of the provider and of this host.",
  'jwt.not_yet_valid': "The token's nbf lies in the future. Compare the clocks of the provider and of this host.",
  'jwt.too_old': "The token's iat is older than providers[].maxAge. Compare the clocks, or look for a slow redirect.",
  'jwt.from_the_future': "The token's iat lies in the future. Compare the clocks of the provider and of this host.",
  'jwt.issuer_mismatch': "The token's iss is not providers[].issuer.",
  'jwt.audience_mismatch': "The token's aud does not hold providers[].audience.",
  'jwt.replayed': 'A token with this jti has been used before. The provider must make a new jti for every login.',
  'jwt.state_mismatch':
    'The state is not one that this browser was given for this provider, or requireState is set and none came back.',
  'saml.malformed': 'The message is no SAML 2.0 response within the limits (size, elements, depth, no DOCTYPE, UTF-8).',
  'saml.status_not_success': 'The identity provider itself refused the login. Its status code is among the checks.',
  'saml.algorithm_not_allowed':
    'The response names an algorithm that is not allowed. Choose RSA with SHA-256 at the identity provider, and AES-GCM with RSA-OAEP where it encrypts; switch encryption off where it has only AES-CBC.',
  'saml.signature_missing':
    'Neither the response nor the assertion is signed. Switch on assertion signing at the identity provider.',
  'saml.signature_invalid': 'No configured certificate verifies the signature. Compare the certificate fingerprints.',
  'saml.issuer_unknown':
    'No provider has this issuer, or response and assertion name different ones. See providers[].issuer.',
  'saml.audience_mismatch':
    'The assertion is meant for another service. Set the SP entity ID at the identity provider, or providers[].entityId.',
  'saml.recipient_mismatch':
    "The Recipient is not this gateway's ACS URL. Set the ACS URL at the identity provider, or publicUrl.",
  'saml.destination_mismatch':
    "The Destination is not this gateway's ACS URL. Set the ACS URL at the identity provider, or publicUrl.",
  'saml.confirmation_invalid': 'There is no usable bearer SubjectConfirmation.',
  'saml.expired':
    'The assertion is no longer valid. Compare the clocks of the identity provider and of this host; see providers[].clockSkew.',
  'saml.not_yet_valid':
    'The assertion is not valid yet. Compare the clocks of the identity provider and of this host; see providers[].clockSkew.',
  'saml.in_response_to_unknown':
    'The response answers a request that this browser did not send, or sent more than ten minutes ago.',
  'saml.unsolicited':
    'The response answers no request. See providers[].idpInitiated if logins may start at the identity provider.',
  'saml.replayed': 'This assertion has been used before.',
  'saml.decryption_failed':
    'The assertion is encrypted and cannot be decrypted with providers[].key, or it is not encrypted though providers[].wantAssertionsEncrypted is set.',
  'saml.email_missing': 'The assertion holds no value for the e-mail. See providers[].attributes.email.',
  'saml.email_invalid': 'The value for the e-mail is not one e-mail address. See providers[].attributes.email.',
  'saml.metadata_unavailable':
    "The identity provider's metadata could not be read yet. Check providers[].metadata and that this host reaches it.",
  'agent.unknown': 'The directory does not know this e-mail address. Add the agent, or see agents.',
  'agent.disabled': 'The directory says that this agent is inactive.',
  'agent.forbidden': 'The agent is known but may not come this way. See providers[].allow and access.',
  'agent.directory_unavailable': 'A directory source could not answer. See agents.',
  'login.attempt_unknown': 'The login that this answers to has run out (ten minutes), or its cookie did not come back.',
  'login.other_session': 'An unsolicited login arrived in a browser where another agent is logged in.',
  'login.loop': 'This browser finished several logins within a minute but never brought its session cookie back.',
  'login.rate_limited': 'Too many refused logins from this address. See limits.logins and trustedProxies.',
  'login.link_used': 'This break-glass link has been used.',
  'login.link_expired': 'This break-glass link has run out.',
  'login.busy_unavailable': 'Too many logins are being verified at this moment.',
  'session.store_unavailable': 'The session store could not be reached. See sessions.store.',
} as const

/** A code of the closed list; branch on it, never on a message. */
export type Reason = keyof typeof hints

/** Every code, in the order of the contract. */
export const reasons = Object.keys(hints) as Reason[]

/** What the operator should look at. */
export function hintOf(reason: Reason): string {
  return hints[reason]
}

/** The HTTP status that a refusal for this reason answers with. */
export function statusOf(reason: Reason): number {
  if (reason.endsWith('_unavailable')) return 503
  if (reason.startsWith('agent.')) return 403
  if (reason === 'login.rate_limited') return 429
  if (reason === 'login.other_session') return 409
  return 400
}
