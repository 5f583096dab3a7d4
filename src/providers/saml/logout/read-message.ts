// Reads a single logout message from its binding. Untrusted: it serves to find the provider that has to verify it.

import { decodeBase64, decodeUtf8 } from '../response/prescan.js'
import { type DetachedSignature, type MessageKind, readRedirect } from './redirect-binding.js'
import { type LogoutSummary, prescanLogout } from './summary.js'

export interface LogoutMessage {
  kind: MessageKind
  binding: 'redirect' | 'post'
  xml: string
  summary: LogoutSummary
  relayState?: string
  /** Redirect binding: the signature of the query. */
  signature?: DetachedSignature
  /** It came to the assertion consumer service. */
  at?: 'acs'
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
  return 'malformed' in reading ? reading : withSummary({ ...reading, binding: 'redirect' })
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
  return withSummary({ kind, binding: 'post', xml, ...(relayState === undefined ? {} : { relayState }) })
}

function withSummary(message: Omit<LogoutMessage, 'summary'>): LogoutReading {
  const { kind } = message
  const prescan = prescanLogout(message.xml)
  if ('malformed' in prescan) return { kind, malformed: prescan.malformed }
  // Attack: one thing by the name of the field, another by what is in it.
  if (prescan.summary.kind !== kind) return { kind, malformed: 'a request where a response belongs, or the reverse' }
  return { ...message, summary: prescan.summary }
}
