// Hosts of URLs: which are on this machine, and which belong to one site.

const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])

export function isLoopback(host: string): boolean {
  return loopback.has(host)
}

/** Whether an origin is https, or http on one of the two names that browsers trust without it. */
export function isCleartextAllowed(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1'
}

/** Whether data sent to a URL can be read in transit. */
export function isCleartext(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopback(hostname)
}

/** Whether a URL is on the site of a loopback origin: the host has no subdomains, and the scheme must match. */
export function isSameSite(origin: string, url: string): boolean {
  const [one, other] = [new URL(origin), new URL(url)]
  return one.protocol === other.protocol && one.hostname === other.hostname
}
