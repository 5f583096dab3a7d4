// IP addresses and networks (CIDRs), as trustedProxies, access.paths[].from and breakglass.from name them.

import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Whether an address is in one of the networks; one that is unknown is in none. */
export type Networks = (address: Address | undefined) => boolean

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

/** Where a client is, and whether that can be believed. */
export interface ClientAddress {
  /** The last hop that is not a trusted proxy. */
  address: string
  /** Somebody forwards for a client that nobody trusted has named: the address is a proxy's, not the client's. */
  unproven: boolean
}

/** The most addresses in the cache. */
const maxRemembered = 5000

/**
 * `from` of a rule: in doubt nobody is there. Attack: behind a proxy that is not in trustedProxies everybody seems to come
 * from the proxy's own, internal address.
 */
export function createFrom(): (cidrs: readonly string[]) => (client: ClientAddress) => boolean {
  let parsed = new Map<string, Address | undefined>()
  const parse = (text: string) => {
    if (parsed.has(text)) return parsed.get(text)
    if (parsed.size >= maxRemembered) parsed = new Map()
    const address = parseAddress(text)
    parsed.set(text, address)
    return address
  }
  return cidrs => {
    const networks = compileNetworks(cidrs)
    return ({ address, unproven }) => !unproven && networks(parse(address))
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
