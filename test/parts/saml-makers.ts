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
  /**
   * Reads the request in the address that the browser was sent to, or begins the login itself when there is none; the
   * form that its page would post. Rejects when the request's signature is wanted and does not verify.
   */
  answer(asked: string | undefined, how: Answering): Promise<{ SAMLResponse: string; RelayState: string }>
}

export interface Answering {
  signed: Signed
  /** Our metadata, from which the maker has our keys. */
  spMetadata: string
  person: Person
  /** The assertion is encrypted to the certificate in our metadata. */
  encrypted?: true
  /** The request must be signed by the key in our metadata. */
  verified?: true
}

/** The certificate in our metadata for that use, PEM. */
export function certificateIn(spMetadata: string, use: 'signing' | 'encryption'): string {
  const [, key = ''] =
    new RegExp(`<md:KeyDescriptor use="${use}">([\\s\\S]*?)</md:KeyDescriptor>`).exec(spMetadata) ?? []
  const [, base64] = /<ds:X509Certificate>([^<]*)</.exec(key) ?? []
  if (base64 === undefined) throw new Error(`our metadata has no certificate for ${use}`)
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`
}

/** The address in our metadata that responses go to. */
export function acsIn(spMetadata: string): string {
  return /<md:AssertionConsumerService [^>]*Location="([^"]*)"/.exec(spMetadata)?.[1] ?? ''
}

/** The entity ID in our metadata. */
export function entityIn(spMetadata: string): string {
  return /entityID="([^"]*)"/.exec(spMetadata)?.[1] ?? ''
}
