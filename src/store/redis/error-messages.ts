// Explains a failure of Redis to the operator, in one sentence. Never passes on a server's own text or an error object:
// the errors of ioredis carry a command's arguments, and some messages of Redis repeat them, passwords included.

import type { Topology } from './url.js'

const timeout = 'Redis did not answer in time'
const down = 'the connection to Redis is not up'
const noSentinel = 'no Sentinel answers: see their addresses, and whether they speak TLS there'
const noNode = 'a node of the Redis cluster does not answer: see its address, and whether it speaks TLS there'

/** Messages of errors that say nothing specific. */
export const unspecificMessages: ReadonlySet<string> = new Set([down, noSentinel, noNode])

/** By the first word of an error reply (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). */
const replies: Record<string, string> = {
  MOVED: 'this is a cluster node: use redis+cluster://',
  ASK: 'this is a cluster node: use redis+cluster://',
  CROSSSLOT: 'this is a cluster node: use redis+cluster://',
  CLUSTERDOWN: 'the Redis cluster is down: not all of its slots are served',
  READONLY: 'this is a replica, it takes no writes: give the address of the primary, or use redis+sentinel://',
  MASTERDOWN: 'this is a replica that has lost its primary',
  NOREPLICAS: 'Redis has too few replicas to take a write (min-replicas-to-write)',
  NOAUTH: 'Redis wants a password (NOAUTH): set sessions.store.password, or the user in the URL',
  WRONGPASS: 'Redis refuses the user name or password (WRONGPASS)',
  NOPERM: 'the Redis user lacks a permission (NOPERM): see the commands, keys and channels of its ACL',
  LOADING: 'Redis is still loading its data (LOADING)',
  OOM: 'Redis is out of memory (OOM): raise maxmemory, and keep maxmemory-policy noeviction',
  MISCONF: 'Redis takes no writes because it cannot save to its disk (MISCONF)',
  WRONGTYPE: 'a key of ours holds something else (WRONGTYPE): give this gateway a keyPrefix or database of its own',
  BUSY: 'Redis is busy with a script (BUSY)',
}

/** Replies that have another meaning in a topology. */
const topologyReplies: Partial<Record<Topology, Record<string, string>>> = {
  sentinel: {
    READONLY: 'the primary has become a replica (READONLY): a failover is under way',
    MOVED: 'the Sentinels lead to a cluster node: use redis+cluster://',
  },
  cluster: {
    MOVED: 'the Redis cluster sends a command round in a circle (MOVED): its nodes do not agree',
    ASK: 'the Redis cluster is moving this slot (ASK)',
    TRYAGAIN: 'the Redis cluster is moving this slot (TRYAGAIN)',
  },
}

/** Errors about Sentinels: ioredis gives only a text for them, with addresses in it. */
const sentinelErrors: [RegExp, string][] = [
  [/invalid reply: null|No such master/, 'the Sentinels know no primary of this name: see the path of sessions.store'],
  [/NOAUTH/, 'the Sentinels want a password (NOAUTH): set sessions.store.sentinelPassword'],
  [/WRONGPASS|invalid password/, 'the Sentinels refuse the password (WRONGPASS): see sessions.store.sentinelPassword'],
  [/unknown command/i, 'this is no Sentinel: give the addresses of the Sentinels, or use redis://'],
  [/timed out|ETIMEDOUT/i, 'a Sentinel did not answer in time'],
]

/** By the code of a network or TLS error. */
const networkErrors: Record<string, string> = {
  ECONNREFUSED: 'nothing listens at the address of Redis (ECONNREFUSED)',
  ECONNRESET: 'Redis closed the connection (ECONNRESET): does it expect rediss:// or a client certificate?',
  EPIPE: 'Redis closed the connection (EPIPE)',
  ENOTFOUND: 'the host name of Redis does not resolve (ENOTFOUND)',
  EAI_AGAIN: 'the host name of Redis does not resolve at the moment (EAI_AGAIN)',
  ETIMEDOUT: 'Redis does not answer at its address (ETIMEDOUT): is it that one, and does it speak TLS there?',
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
    'Redis wants a client certificate: set sessions.store.tls.cert and sessions.store.tls.key',
}

/** A sentence for the operator. `offline`: why the connection is down, if it is. */
export function explain(
  error: unknown,
  { offline, topology }: { offline?: string | undefined; topology?: Topology } = {},
): string {
  if (!(error instanceof Error)) return 'Redis failed'
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

function explainReply(error: Error, topology: Topology | undefined): string {
  const word = replyCode(error) ?? ''
  const known = (topology && topologyReplies[topology]?.[word]) ?? replies[word]
  if (known) return known
  if (/cluster support disabled/.test(error.message)) return 'this is no cluster node: use redis://'
  const command = safe(commandOf(error) ?? 'a command')
  if (command === 'select') return 'the database number in sessions.store does not exist, or may not be used'
  return `Redis refused ${command} (${safe(word)}): version 7 or newer is needed`
}

/** Passes only what looks like an error code or the name of a command. */
function safe(word: string): string {
  return /^[A-Za-z0-9_ ]{1,64}$/.test(word) ? word : 'an unknown error'
}
