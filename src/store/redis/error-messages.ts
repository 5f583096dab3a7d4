// Explains a failure of Redis to the operator, in one sentence, with Redis's own words where it refuses. Never passes on an
// error object or any other text of a server: the errors of ioredis carry a command's arguments, and some messages of Redis
// repeat them, passwords included.

import { StoreUnavailable } from '../../core/errors.js'
import type { Topology } from './url.js'

const timeout = 'Redis did not answer in time'
const down = 'the connection to Redis is not up'
const noSentinel = 'no Sentinel answers: check their addresses, and whether they expect TLS'
const noNode = 'a node of the Redis cluster does not answer: check its address, and whether it expects TLS'

/** Messages of errors that say nothing specific. */
export const unspecificMessages: ReadonlySet<string> = new Set([down, noSentinel, noNode])

/** By the first word of an error reply (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). */
const replies: Record<string, string> = {
  MOVED: 'this is a cluster node: use redis+cluster://',
  ASK: 'this is a cluster node: use redis+cluster://',
  CROSSSLOT: 'this is a cluster node: use redis+cluster://',
  CLUSTERDOWN: 'the Redis cluster is down: not all of its slots are served',
  READONLY: 'this is a read-only replica: give the address of the primary, or use redis+sentinel://',
  MASTERDOWN: 'this is a replica that has lost its primary',
  NOREPLICAS: 'Redis has too few replicas to take a write (min-replicas-to-write)',
  NOAUTH: 'Redis requires a password (NOAUTH): set sessions.store.password, or the user in the URL',
  WRONGPASS: 'Redis refuses the user name or password (WRONGPASS)',
  DENIED: 'Redis is in protected mode (DENIED): give its default user a password, or bind it to this address',
  LOADING: 'Redis is still loading its data (LOADING)',
  OOM: 'Redis is out of memory (OOM): raise maxmemory, and keep maxmemory-policy noeviction',
  MISCONF: 'Redis refuses writes because it cannot save to its disk (MISCONF): see its log and the free space',
  WRONGTYPE: 'a key of this gateway has another type (WRONGTYPE): give this gateway a keyPrefix or database of its own',
  BUSY: 'Redis is busy with a script (BUSY)',
}

/** Refusals whose texts repeat nothing that was sent. */
const quoted = new Set([
  'CLUSTERDOWN',
  'READONLY',
  'MASTERDOWN',
  'NOREPLICAS',
  'LOADING',
  'OOM',
  'MISCONF',
  'DENIED',
  'NOPERM',
])

const tooManyClients = /^ERR max number of clients[ a-z+]* reached/

const topologyReplies: Partial<Record<Topology, Record<string, string>>> = {
  sentinel: {
    READONLY: 'the primary has become a replica (READONLY): a failover is under way',
    MOVED: 'the Sentinels lead to a cluster node: use redis+cluster://',
  },
  cluster: {
    MOVED: 'the nodes of the Redis cluster redirect a command in a circle (MOVED): they disagree about its slots',
    ASK: 'the Redis cluster is moving this slot (ASK)',
    TRYAGAIN: 'the Redis cluster is moving this slot (TRYAGAIN)',
  },
}

/** Errors about Sentinels: ioredis gives only a text for them, with addresses in it. */
const sentinelErrors: [RegExp, string][] = [
  [/invalid reply: null|No such master/, 'the Sentinels know no primary of this name: see the path of sessions.store'],
  [/NOAUTH/, 'the Sentinels require a password (NOAUTH): set sessions.store.sentinelPassword'],
  [/WRONGPASS|invalid password/, 'the Sentinels refuse the password (WRONGPASS): see sessions.store.sentinelPassword'],
  [/unknown command/i, 'this is not a Sentinel: give the addresses of the Sentinels, or use redis://'],
  [/timed out|ETIMEDOUT/i, 'a Sentinel did not answer in time'],
]

const networkErrors: Record<string, string> = {
  ECONNREFUSED: 'nothing listens at the address of Redis (ECONNREFUSED)',
  ECONNRESET: 'Redis closed the connection (ECONNRESET): does it expect rediss:// or a client certificate?',
  EPIPE: 'Redis closed the connection (EPIPE)',
  ENOTFOUND: 'the host name of Redis does not resolve (ENOTFOUND)',
  EAI_AGAIN: 'the host name of Redis does not resolve at the moment (EAI_AGAIN)',
  ETIMEDOUT: 'Redis does not answer (ETIMEDOUT): is the address right, and does Redis expect TLS there?',
  EHOSTUNREACH: 'no route to Redis (EHOSTUNREACH)',
  ERR_SSL_WRONG_VERSION_NUMBER: 'Redis does not speak TLS at this port: use redis://, or its TLS port',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate of Redis is for another name: set sessions.store.tls.serverName, or another certificate',
  CERT_HAS_EXPIRED: 'the certificate of Redis has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of Redis is self-signed: set sessions.store.tls.ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority of the certificate of Redis is not trusted: set sessions.store.tls.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the authority of the certificate of Redis is not trusted: set sessions.store.tls.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'the authority of the certificate of Redis is not trusted: set sessions.store.tls.ca',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'Redis requires a client certificate: set sessions.store.tls.cert and sessions.store.tls.key',
}

/** A sentence for the operator. `offline`: why the connection is down, if it is. */
export function explain(
  error: unknown,
  { offline, topology }: { offline?: string | undefined; topology?: Topology } = {},
): string {
  if (!(error instanceof Error)) return 'Redis failed'
  if (error instanceof StoreUnavailable) return error.message
  const cause = (error as { lastNodeError?: unknown }).lastNodeError
  if (cause instanceof Error) return explain(cause, { offline, ...(topology ? { topology } : {}) })
  const code = (error as NodeJS.ErrnoException).code
  if (code !== undefined) return networkErrors[code] ?? `the connection to Redis failed (${safe(code)})`
  if (error.name === 'ReplyError') return explainReply(error, topology)
  if (topology === 'sentinel' && /sentinel/i.test(error.message)) return explainSentinel(error.message)
  if (error.message === 'Command timed out' || error.message === 'timeout') return offline ?? timeout
  if (error.message.startsWith('Socket timeout')) return timeout
  if (error.message.startsWith('Too many Cluster redirections')) return topologyReplies.cluster?.MOVED ?? down
  return offline ?? (topology === 'cluster' ? noNode : down)
}

function explainSentinel(message: string): string {
  return sentinelErrors.find(([pattern]) => pattern.test(message))?.[1] ?? noSentinel
}

/** The command that an error reply answers, in small letters. */
export function commandOf(error: unknown): string | undefined {
  const name = (error as { command?: { name?: unknown } } | undefined)?.command?.name
  return typeof name === 'string' ? name.toLowerCase() : undefined
}

/** The first word of an error reply, such as WRONGTYPE. */
export function replyCode(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'ReplyError' ? error.message.split(' ', 1)[0] : undefined
}

/** Whether the server itself has refused: a reply, or what the handshake found out about it. */
export function isRefusal(error: unknown): boolean {
  return error instanceof StoreUnavailable || replyCode(error) !== undefined
}

/** Whether a server, or a proxy before it, does not know a command. */
export function isUnknownCommand(error: unknown): boolean {
  return replyCode(error) !== undefined && /^(ERR unknown command|NOPROTO)/i.test((error as Error).message)
}

function explainReply(error: Error, topology: Topology | undefined): string {
  const word = replyCode(error) ?? ''
  if (word === 'NOPERM') return `${missingPermission(error)}${ownWords(error, word)}`
  const known = (topology && topologyReplies[topology]?.[word]) ?? replies[word]
  if (known) return `${known}${ownWords(error, word)}`
  const [tooMany] = tooManyClients.exec(error.message) ?? []
  if (tooMany) return `Redis has too many clients: raise its maxclients, or close others. Redis says: ${tooMany}`
  if (/cluster support disabled/.test(error.message)) return 'this is not a cluster node: use redis://'
  const command = safe(commandOf(error) ?? 'a command')
  if (command === 'select') return 'the database number in sessions.store does not exist, or may not be used'
  return `Redis refused ${command} (${safe(word)}): version 7 or newer is needed`
}

/** The first sentence of a refusal. From version 7.2 on NOPERM names the user: it is left out. */
function ownWords(error: Error, word: string): string {
  if (!quoted.has(word)) return ''
  const [sentence = ''] = error.message.replace(/\bUser \S+ has/, 'this user has').split(/\. |\.$|[^ -~]/, 1)
  return `. Redis says: ${sentence.slice(0, 200)}`
}

/** What a user of Redis would need for a command that was refused. */
function missingPermission(error: Error): string {
  const command = safe(commandOf(error) ?? 'a command')
  const name = `the Redis user lacks a permission (NOPERM): ${command.toUpperCase()}`
  // The message names the command, or says that it is about a key or a channel.
  if (/channel/.test(error.message))
    return `${name} on the channel ${firstArgument(error)}; its ACL must allow it with &`
  if (/\bkeys?\b/.test(error.message)) return `${name} on ${kindOfKey(error)}; its ACL must allow them with ~`
  return `${name}; its ACL must allow the command with +`
}

function firstArgument(error: Error): string {
  const [argument] = (error as { command?: { args?: unknown[] } }).command?.args ?? []
  return /^[!-~]{1,128}$/.test(String(argument)) ? String(argument) : 'that was asked for'
}

/** Keys without the hashes in them. */
function kindOfKey(error: Error): string {
  return `keys ${firstArgument(error).replace(/[^:]*$/, '*')}`
}

/** Passes only what looks like an error code or the name of a command. */
function safe(word: string): string {
  return /^[A-Za-z0-9_ ]{1,64}$/.test(word) ? word : 'an unknown error'
}
