// Client address and request ID: from the socket and, only where its peer is a trusted proxy, from X-Forwarded-For and
// X-Request-Id. An untrusted peer's claims are neither trusted nor passed on. And the networks (CIDRs) that an address may
// be in: trustedProxies, access.paths[].from, breakglass.from.

import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'
import type { Random } from '../../core/clock.js'
import { memoizeByName } from './header-names.js'

/** The most addresses in a cache. */
const maxRemembered = 5000
/** Addresses that a proxy of one's own has, and no client from the internet. */
const localRanges = new Set<string>(['private', 'loopback', 'linkLocal', 'uniqueLocal', 'carrierGradeNat'])
const validRequestId = /^[\x21-\x7e]{1,128}$/

/**
 * `trustedProxies`: CIDRs. A peer on a unix socket has no address; it is on this machine and trusted where 127.0.0.1
 * is. Throws for an invalid CIDR. `onIgnored`: called once, with the peer, when one with a private address that is not
 * trusted sends X-Forwarded headers.
 */
export function createClientReader(deps: {
  trustedProxies: readonly string[]
  random: Random
  onIgnored?: ((peer: string) => void) | undefined
  /** A rule depends on the address (`from`): each request that names no client is looked at for whether it was forwarded. */
  decides?: boolean
}): (request: IncomingMessage) => RequestSource {
  const trusts = compileNetworks(deps.trustedProxies)
  const newId = createIds(deps.random)
  let onIgnored = deps.onIgnored

  const peerOf = memoizeByName((remote: string) => {
    const address = parseAddress(remote || '127.0.0.1')
    const text = remote === '' ? 'unknown' : (address?.toString() ?? remote)
    return { text, trusted: trusts(address), local: address !== undefined && localRanges.has(address.range()) }
  }, maxRemembered)

  return request => {
    const peer = peerOf(request.socket.remoteAddress ?? '')
    if (!peer.trusted) {
      const forwarded = (deps.decides || (onIgnored && peer.local)) === true && isForwarded(request.rawHeaders)
      if (forwarded && onIgnored && peer.local) {
        onIgnored(peer.text)
        onIgnored = undefined
      }
      return { address: peer.text, unproven: forwarded, forwardedFor: peer.text, id: newId(), trusted: false }
    }
    const { hops: chain, broken } = believedHops(headerOf(request, 'x-forwarded-for'), trusts)
    const silent = chain.length === 0 && deps.decides === true && isForwarded(request.rawHeaders)
    const sent = headerOf(request, 'x-request-id')
    chain.push(peer.text)
    return {
      address: chain[0] as string,
      unproven: broken || silent,
      forwardedFor: chain.join(', '),
      id: sent !== undefined && validRequestId.test(sent) ? sent : newId(),
      trusted: true,
    }
  }
}

/** Whether a request says that a proxy has passed it on (RFC 7239, and what came before it). */
function isForwarded(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    const { length } = name
    if (length > 12 ? name[1] === '-' : length === 9 || length === 3) {
      const lower = name.toLowerCase()
      if (lower.startsWith('x-forwarded-') || lower === 'forwarded' || lower === 'x-real-ip' || lower === 'via')
        return true
    }
  }
  return false
}

/**
 * The part of a chain that a trusted proxy has vouched for, the client first. Read from the end: the first hop that is
 * not trusted is the client. An entry that is not an address ends the chain (`broken`), and the hop that added it counts.
 * Attack: what a client writes in front of that is its own invention; Desk takes the first address for the client's.
 */
function believedHops(chain: string | undefined, trusts: (address: Address) => boolean) {
  const hops: string[] = []
  for (const hop of chain?.split(',').reverse() ?? []) {
    const address = parseAddress(withoutPort(hop.trim()))
    if (!address) return { hops, broken: true }
    hops.unshift(address.toString())
    if (!trusts(address)) break
  }
  return { hops, broken: false }
}

/** Some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711. */
function withoutPort(hop: string): string {
  return hop.replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1').replace(/^\[([^\]]+)\](?::\d{1,5})?$/, '$1')
}

/** All lines of a header as one list, as RFC 9110 5.3 joins them. */
function headerOf(request: IncomingMessage, name: string): string | undefined {
  const lines = request.headersDistinct[name]
  return lines?.join(', ')
}

/** Request IDs: 128 random bits in base64url; random bytes are fetched for many at once. */
export function createIds(random: Random): () => string {
  const [size, batch] = [16, 256]
  let bytes: Buffer = Buffer.alloc(0)
  let next = 0
  return () => {
    if (next >= bytes.length) [bytes, next] = [random(size * batch), 0]
    const id = bytes.toString('base64url', next, next + size)
    next += size
    return id
  }
}

/** Where a client is, and whether that can be believed. */
export interface ClientAddress {
  /** The last hop that is not a trusted proxy. */
  address: string
  /** Somebody forwards for a client that nobody trusted has named: the address is a proxy's, not the client's. */
  unproven: boolean
}

/** The client of a request, as Desk is told. */
export interface RequestSource extends ClientAddress {
  /** The X-Forwarded-For that Desk gets. */
  forwardedFor: string
  /** X-Request-Id. */
  id: string
  /** The peer is a trusted proxy. */
  trusted: boolean
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Whether an address is in one of the networks; one that is unknown is in none. */
type Networks = (address: Address | undefined) => boolean

/** Throws for an invalid CIDR. */
export function compileNetworks(cidrs: readonly string[]): Networks {
  const networks = cidrs.map(networkOf)
  return address => address !== undefined && networks.some(network => contains(network, address))
}

/** An address, an IPv4-mapped one (RFC 4291 2.5.5.2) as IPv4; undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  // ipaddr.js also takes 010.1, 0x7f.1 and 1: here an address has four parts or colons.
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !(text.includes(':') && ipaddr.IPv6.isValid(text))) return undefined
  return ipaddr.process(text)
}

/**
 * `from` of a rule: in doubt nobody is there. Attack: behind a proxy that is not in trustedProxies everybody seems to come
 * from the proxy's own, internal address.
 */
export function createFrom(): (cidrs: readonly string[]) => (client: ClientAddress) => boolean {
  const parse = memoizeByName(text => ({ parsed: parseAddress(text) }), maxRemembered)
  return cidrs => {
    const networks = compileNetworks(cidrs)
    return ({ address, unproven }) => !unproven && networks(parse(address).parsed)
  }
}

type Network = [Address, number]

function networkOf(cidr: string): Network {
  const [address, bits] = ipaddr.parseCIDR(cidr)
  if (address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96) {
    return [(address as ipaddr.IPv6).toIPv4Address(), bits - 96]
  }
  return [address, bits]
}

function contains(network: Network, address: Address): boolean {
  return address.kind() === network[0].kind() && address.match(network)
}
