// Takes a single logout message off its binding and reads it. Untrusted: it finds the provider that has to judge it.

import { decodeBase64, decodeUtf8 } from '../response/prescan.js'
import { type DetachedSignature, type MessageKind, readRedirect } from './redirect-query.js'
import { type LogoutFacts, scanLogout } from './summary.js'

export interface LogoutMessage {
  kind: MessageKind
  binding: 'redirect' | 'post'
  xml: string
  facts: LogoutFacts
  relayState?: string
  /** Redirect binding: the signature of the query. */
  signature?: DetachedSignature
}

export type LogoutReading = LogoutMessage | { kind: MessageKind; malformed: string }

/** The fields of a posted form: a field that is there twice has no value. */
export interface LogoutForm {
  one(name: string): string | undefined
  repeated(names: readonly string[]): string[]
}

const fields = ['SAMLRequest', 'SAMLResponse', 'RelayState']
const largest = 64 * 1024

/** `query`: as sent. Never throws. */
export function readRedirectLogout(query: string): LogoutReading {
  const reading = readRedirect(query)
  return 'malformed' in reading ? reading : scanned({ ...reading, binding: 'redirect' })
}

/** SAML Bindings 3.5.4. Never throws. */
export function readPostedLogout(form: LogoutForm): LogoutReading {
  const [request, response] = [form.one('SAMLRequest'), form.one('SAMLResponse')]
  const repeated = form.repeated(fields)
  const kind = request === undefined && response !== undefined && repeated.length === 0 ? 'response' : 'request'
  if (repeated.length > 0) return { kind, malformed: `more than one ${repeated.join(', ')}` }
  if ((request === undefined) === (response === undefined)) {
    return { kind, malformed: 'not one SAMLRequest or SAMLResponse' }
  }
  const bytes = decodeBase64(request ?? response)
  if (!bytes || bytes.length > largest) return { kind, malformed: 'not base64, empty, or over 64 kB' }
  const xml = decodeUtf8(bytes)
  if (xml === undefined) return { kind, malformed: 'not UTF-8' }
  const relayState = form.one('RelayState') || undefined
  return scanned({ kind, binding: 'post', xml, ...(relayState === undefined ? {} : { relayState }) })
}

function scanned(message: Omit<LogoutMessage, 'facts'>): LogoutReading {
  const { kind } = message
  const scan = scanLogout(message.xml)
  if ('malformed' in scan) return { kind, malformed: scan.malformed }
  // Attack: one thing by the name of the field, another by what is in it.
  if (scan.facts.kind !== kind) return { kind, malformed: 'a request where a response belongs, or the reverse' }
  return { ...message, facts: scan.facts }
}
