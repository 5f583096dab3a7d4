// The closed list of reasons for which a login is refused: for each code its status, what the operator should look at, and
// the setting that most likely changes it. A code alone says nothing: no status follows from its spelling.
// Sentences for agents are not here: they are texts (web/pages/i18n), keyed by the same codes.

interface ReasonFacts {
  /** The HTTP status of the refusal. */
  status: 400 | 403 | 409 | 429 | 503
  /** For the operator: what to look at. */
  hint: string
  /** The configuration key that most likely changes it, if one does. */
  setting?: string
}

const table = {
  'jwt.malformed': {
    status: 400,
    hint: 'The posted form contains no compact JWS of at most 16 kB. Check that the provider posts the token in the field "jwt".',
  },
  'jwt.algorithm_not_allowed': {
    status: 400,
    hint: 'The token names an algorithm that this provider may not use. See providers[].algorithms.',
    setting: 'providers[].algorithms',
  },
  'jwt.signature_invalid': {
    status: 400,
    hint: 'No configured key verifies the token. Compare providers[].secrets or jwks with the key that the provider signs with.',
    setting: 'providers[].secrets',
  },
  'jwt.keys_unavailable': {
    status: 503,
    hint: "The provider's JWKS could not be fetched, or was fetched less than 30 seconds ago and lacks the token's kid. Check providers[].jwks and that this host reaches it.",
    setting: 'providers[].jwks',
  },
  'jwt.claim_missing': {
    status: 400,
    hint: 'A required claim is missing. The provider must send email, iat and jti.',
  },
  'jwt.claim_invalid': {
    status: 400,
    hint: 'A claim has the wrong type or an unusable value. The failed check names it: correct it at the provider.',
  },
  'jwt.expired': {
    status: 400,
    hint: "The token's exp lies in the past. Check the clock of the provider and of this host.",
    setting: 'providers[].clockSkew',
  },
  'jwt.not_yet_valid': {
    status: 400,
    hint: "The token's nbf lies in the future. Check the clock of the provider and of this host.",
    setting: 'providers[].clockSkew',
  },
  'jwt.too_old': {
    status: 400,
    hint: "The token's iat is older than providers[].maxAge. Check the provider's clock, or look for a slow redirect.",
    setting: 'providers[].maxAge',
  },
  'jwt.from_the_future': {
    status: 400,
    hint: "The token's iat lies in the future. Check the clock of the provider and of this host.",
    setting: 'providers[].clockSkew',
  },
  'jwt.issuer_mismatch': {
    status: 400,
    hint: "The token's iss is not providers[].issuer. If the provider is the right one, copy the iss that was seen into issuer.",
    setting: 'providers[].issuer',
  },
  'jwt.audience_mismatch': {
    status: 400,
    hint: "The token's aud does not contain providers[].audience. Use the same value at the provider and here.",
    setting: 'providers[].audience',
  },
  'jwt.replayed': {
    status: 400,
    hint: 'A token with this jti has been used before. The provider must make a new jti for every login.',
  },
  'jwt.state_mismatch': {
    status: 400,
    hint: 'This browser was not given this state for this provider, or requireState is set and no state came back. The provider must return state unchanged; a login may take ten minutes.',
    setting: 'providers[].requireState',
  },
  'jwt.context_mismatch': {
    status: 400,
    hint: "The token's acr is not in providers[].authnContext or acceptedContexts. Have the provider require such a method and name it in acr.",
    setting: 'providers[].acceptedContexts',
  },
  'jwt.authentication_too_old': {
    status: 400,
    hint: 'The token has no auth_time, or one that is older than providers[].maxAuthAge. Have the provider log the agent in again, and send the time in auth_time.',
    setting: 'providers[].maxAuthAge',
  },
  'saml.malformed': {
    status: 400,
    hint: 'The message is not a valid SAML 2.0 response in UTF-8, has a DOCTYPE, or exceeds a limit (size, elements, depth). The failed check names the fault.',
  },
  'saml.status_not_success': {
    status: 400,
    hint: "The identity provider itself refused the login. Its status code is among the checks; the provider's log says why.",
  },
  'saml.algorithm_not_allowed': {
    status: 400,
    hint: 'The response names an algorithm that is not allowed. Choose RSA with SHA-256 at the identity provider, and AES-GCM with RSA-OAEP where it encrypts; switch encryption off where it has only AES-CBC.',
  },
  'saml.signature_missing': {
    status: 400,
    hint: 'Neither the response nor the assertion is signed. Switch on assertion signing at the identity provider.',
  },
  'saml.signature_invalid': {
    status: 400,
    hint: "No configured certificate verifies the signature. Add the provider's current certificate to providers[].certificates, or use metadata.",
    setting: 'providers[].certificates',
  },
  'saml.issuer_unknown': {
    status: 400,
    hint: 'No provider has this issuer, or response and assertion name different ones. See providers[].issuer.',
    setting: 'providers[].issuer',
  },
  'saml.audience_mismatch': {
    status: 400,
    hint: 'The assertion is meant for another service. Set the SP entity ID at the identity provider, or providers[].entityId.',
    setting: 'providers[].entityId',
  },
  'saml.recipient_mismatch': {
    status: 400,
    hint: "The Recipient is not this gateway's ACS URL. Set the ACS URL at the identity provider, or publicUrl.",
    setting: 'publicUrl',
  },
  'saml.destination_mismatch': {
    status: 400,
    hint: "The Destination is not this gateway's ACS URL. Set the ACS URL at the identity provider, or publicUrl.",
    setting: 'publicUrl',
  },
  'saml.confirmation_invalid': {
    status: 400,
    hint: 'The assertion has no usable bearer SubjectConfirmation. Choose the Web Browser SSO profile at the identity provider.',
  },
  'saml.expired': {
    status: 400,
    hint: 'The assertion is no longer valid. Check the clock of the identity provider and of this host; see providers[].clockSkew.',
    setting: 'providers[].clockSkew',
  },
  'saml.not_yet_valid': {
    status: 400,
    hint: 'The assertion is not valid yet. Check the clock of the identity provider and of this host; see providers[].clockSkew.',
    setting: 'providers[].clockSkew',
  },
  'saml.in_response_to_unknown': {
    status: 400,
    hint: 'The response belongs to a request that this browser did not send, or sent more than ten minutes ago. Open Desk at publicUrl, with cookies allowed, and log in again.',
  },
  'saml.unsolicited': {
    status: 400,
    hint: 'The login began at the identity provider. Start at Desk, or set providers[].idpInitiated to true.',
    setting: 'providers[].idpInitiated',
  },
  'saml.replayed': {
    status: 400,
    hint: 'This assertion has been used before. Log in again.',
  },
  'saml.decryption_failed': {
    status: 400,
    hint: 'The assertion cannot be decrypted with providers[].key, or it is not encrypted although providers[].wantAssertionsEncrypted is set. Compare the certificate at the identity provider with providers[].certificate.',
    setting: 'providers[].key',
  },
  'saml.email_missing': {
    status: 400,
    hint: 'The assertion has no e-mail address. Name the attribute in providers[].attributes.email, or send it at the identity provider.',
    setting: 'providers[].attributes.email',
  },
  'saml.email_invalid': {
    status: 400,
    hint: 'The value is not one e-mail address. Name another attribute in providers[].attributes.email, or correct it at the identity provider.',
    setting: 'providers[].attributes.email',
  },
  'saml.context_mismatch': {
    status: 400,
    hint: 'The agent did not log in by a method that providers[].authnContext asks for. Have the identity provider require the method. If it has another name for the same method, add that name to providers[].acceptedContexts.',
    setting: 'providers[].acceptedContexts',
  },
  'saml.authentication_too_old': {
    status: 400,
    hint: 'The agent logged in at the identity provider before this login began (providers[].forceAuthn), or longer ago than providers[].maxAuthAge. Have the identity provider honour ForceAuthn, or end its sessions sooner.',
    setting: 'providers[].maxAuthAge',
  },
  'saml.metadata_unavailable': {
    status: 503,
    hint: "The identity provider's metadata could not be read yet. Check providers[].metadata and that this host reaches it.",
    setting: 'providers[].metadata',
  },
  'agent.unknown': {
    status: 403,
    hint: 'The directory does not know this e-mail address. Add the agent, or compare the spelling with the sources in agents.',
    setting: 'agents',
  },
  'agent.disabled': {
    status: 403,
    hint: 'The directory marks this agent as inactive. Activate the agent there if that is wrong.',
    setting: 'agents',
  },
  'agent.forbidden': {
    status: 403,
    hint: 'The agent is known but may not use this provider. See providers[].allow.',
    setting: 'providers[].allow',
  },
  'agent.directory_unavailable': {
    status: 503,
    hint: 'A source in agents could not answer. The log names the source and the cause.',
    setting: 'agents',
  },
  'login.attempt_unknown': {
    status: 400,
    hint: 'The login has expired (after ten minutes), or its cookie did not come back. Open Desk at publicUrl, with cookies allowed, and log in again.',
  },
  'login.other_session': {
    status: 409,
    hint: 'An unsolicited login arrived in a browser where another agent is logged in. Log out first if the login was intended.',
  },
  'login.step_up_other_agent': {
    status: 409,
    hint: 'A page asked for a stronger or fresher login (access.paths[].context, maxAge), but the agent who logged in is not the agent of the session. To change accounts, the agent has to log out first.',
  },
  'login.loop': {
    status: 400,
    hint: 'This browser finished several logins within a minute but never sent its session cookie back. Allow cookies; check that no proxy removes Cookie or Set-Cookie, and publicUrl.',
  },
  'login.rate_limited': {
    status: 429,
    hint: 'Too many refused logins from this address. See limits.logins and trustedProxies.',
    setting: 'limits.logins',
  },
  'login.link_used': {
    status: 400,
    hint: 'This one-time link has been used. Make another one.',
  },
  'login.link_expired': {
    status: 400,
    hint: 'This one-time link has expired. Make another one.',
  },
  'login.busy_unavailable': {
    status: 503,
    hint: 'Too many logins are being verified at the moment, or too many forms are incomplete. Try again; see workers and limits.bodies.',
  },
  'session.store_unavailable': {
    status: 503,
    hint: 'The session store could not be reached. See sessions.store, and the cause in the log.',
    setting: 'sessions.store',
  },
} as const satisfies Record<string, ReasonFacts>

/** A code of the closed list; branch on it, never on a message. */
export type Reason = keyof typeof table

/** Every code, in the order of the contract. */
export const reasons = Object.keys(table) as Reason[]

const facts: Record<Reason, ReasonFacts> = table

/** What the operator should look at. */
export function hintOf(reason: Reason): string {
  return facts[reason].hint
}

/** The HTTP status that a refusal for this reason answers with. */
export function statusOf(reason: Reason): ReasonFacts['status'] {
  return facts[reason].status
}

/** The configuration key that most likely changes the outcome, if one does. */
export function settingOf(reason: Reason): string | undefined {
  return facts[reason].setting
}
