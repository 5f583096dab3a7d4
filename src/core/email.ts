// The only reading of an e-mail address: A to Z is lower-cased, nothing else. An ambiguous address is invalid.

// Attack: white space, control, format and unassigned characters hide or split an address in headers, logs and look-ups.
const unusable = /[\s\p{C}\p{Z}<>"(),:;\\[\]]/u
const format = /^[^@]{1,64}@[^@]{1,255}$/

/**
 * The canonical form of an e-mail address, or undefined when it is none that may log in.
 * A non-ASCII address is taken only in its exact NFC form, and never folded: look-alikes stay different.
 */
export function canonicalEmail(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 254) return undefined
  if (unusable.test(value) || !format.test(value)) return undefined
  if (value.normalize('NFC') !== value) return undefined
  return value.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** The part behind the @ of a canonical address. */
export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1)
}
