// What the independent makers of SAML responses have in common.

export type Signed = 'assertion' | 'response' | 'both'

export interface Person {
  email: string
  name: string
  role: string
}

export interface Maker {
  name: string
  issuer: string
  loginUrl: string
  /** Its own metadata, where it makes some. */
  metadata?: string
  /** PEM. */
  certificate: string
  /** Reads the request in the address that the browser was sent to; the form that its page would post. */
  answer(
    asked: string,
    how: { signed: Signed; spMetadata: string; person: Person },
  ): Promise<{ SAMLResponse: string; RelayState: string }>
}
