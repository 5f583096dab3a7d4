// What an identity provider states of an agent, and of how and when the agent has logged in. Types only.

/** What ties a session to a SAML login, so that single logout finds it. Times in milliseconds since the epoch. */
export interface SamlSubject {
  nameId: string
  /** The NameID's attributes, as written: identity providers compare them (SAML Core 3.3.4). */
  nameIdFormat?: string
  nameQualifier?: string
  spNameQualifier?: string
  sessionIndex?: string
  /** SessionNotOnOrAfter (SAML Core 2.7.2): the session ends no later. */
  notOnOrAfter?: number
}

/** How and when an agent has logged in at the identity provider, as it said itself. */
export interface Authentication {
  /** SAML: the AuthnContext class; JWT: acr. */
  context?: string
  /** SAML: AuthnInstant; JWT: auth_time. Milliseconds since the epoch. */
  at?: number
}

/** What a step-up login has to show: a rule of access.paths. */
export interface StepUp {
  /** Contexts of which one is needed; none: any. */
  context: readonly string[]
  /** How long ago the agent may have logged in at the provider, in milliseconds. */
  maxAge?: number
}

/** What an identity provider stated about an agent in one login. */
export interface Identity {
  provider: string
  email: string
  /** The agent's ID in Desk. */
  id?: string
  name?: string
  /** As providers[].roles maps them. */
  roles?: string[]
  /** The provider has left roles out because there are too many: why, and what to do. */
  rolesOmitted?: string
  /** For headers of Desk, by their names: providers[].attributes.headers. */
  attributes?: Record<string, string[]>
  /** JWT: what the provider calls the agent; only handed back to it at logout. */
  externalId?: string
  /** Already held against the provider's settings. */
  authentication?: Authentication
  /** When the provider made this statement, by its own clock. Milliseconds since the epoch. */
  issuedAt?: number
  /** Accepted once only: unique for the provider, until the time (ms since the epoch) when the response is void anyway. */
  replayKey: { id: string; until: number }
  saml?: SamlSubject
  /** The session ends no later, in milliseconds since the epoch: for a login method that grants limited access. */
  endsAt?: number
}

/** What counts of an identity before the directory is asked. The address is canonical. */
export type VouchedIdentity = Pick<
  Identity,
  'provider' | 'email' | 'id' | 'name' | 'roles' | 'rolesOmitted' | 'attributes'
>
