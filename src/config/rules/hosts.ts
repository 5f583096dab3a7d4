// Hosts of URLs: which are this machine, and which are of one site.

const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])

export function isLoopback(host: string): boolean {
  return loopback.has(host)
}

/** Whether an origin is https, or http on one of the two names that browsers trust without it. */
export function isCleartextAllowed(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1'
}

/** Whether what is sent to a URL can be read on the way. */
export function isCleartext(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopback(hostname)
}

/** Whether a URL is of the site of a loopback origin: those have no subdomains, and the scheme counts too. */
export function isSameSite(origin: string, url: string): boolean {
  const [one, other] = [new URL(origin), new URL(url)]
  return one.protocol === other.protocol && one.hostname === other.hostname
}
