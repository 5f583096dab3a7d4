// publicUrl as a browser finds it: the name, the certificate, and plain http beside it.

import { lookup } from 'node:dns/promises'
import { connect as connectPlain } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { dayOf } from '../../config/rules/pem.js'
import { type Browser, trustedWith } from './browser.js'
import { causeOf, type Findings } from './findings.js'

/** Milliseconds. */
const patience = 10_000
const day = 86_400_000
/** A certificate that is not renewed by then is unlikely to be renewed by itself. */
const soon = 14 * day

interface ConnectionDeps {
  publicUrl: string
  ca: string | undefined
  browser: Browser
  /** Milliseconds since the epoch. */
  now: number
}

/** Whether a browser would go on from here. */
export async function checkConnection(found: Findings, deps: ConnectionDeps): Promise<boolean> {
  const url = new URL(deps.publicUrl)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  try {
    const addresses = await lookup(host, { all: true })
    found.ok('host name', `${host}: ${addresses.map(({ address }) => address).join(', ')}`)
  } catch (error) {
    const change = `publicUrl, or the DNS entry of ${host}: agents' browsers need the same name`
    found.problem('host name', `${host} does not resolve on this host: ${causeOf(error)}`, change)
    return false
  }
  if (url.protocol === 'http:') {
    if (await speaksTls(host, Number(url.port || 80), deps)) {
      found.problem('TLS', `plain http to a TLS port: ${url.host}`, 'publicUrl: write https')
      return false
    }
    const seen = 'publicUrl is http: cookies without Secure, and no identity provider on another site can log in'
    found.warning('TLS', seen, 'publicUrl: https, for anything but a trial')
    return true
  }
  if (!(await checkTls(found, host, Number(url.port || 443), deps))) return false
  if (url.port === '') await checkPlainHttp(found, host, deps.browser)
  return true
}

async function checkTls(found: Findings, host: string, port: number, { ca, now }: ConnectionDeps): Promise<boolean> {
  let socket: TLSSocket
  try {
    socket = await openTls(host, port, ca)
  } catch (error) {
    await explainNoTls(found, host, port, causeOf(error))
    return false
  }
  const certificate = socket.getPeerCertificate(true)
  const untrusted = socket.authorized ? undefined : String(socket.authorizationError)
  const protocol = socket.getProtocol() ?? 'TLS'
  socket.destroy()
  const wrongs = faultsOf(host, certificate, untrusted, now)
  for (const [seen, change] of wrongs) found.problem('TLS', seen, change)
  if (wrongs.length > 0) return false
  const until = Date.parse(certificate.valid_to)
  const facts = `${protocol}, certificate of ${String(certificate.subject.CN ?? host)}, valid until ${dayOf(until)}`
  if (until - now < soon) found.warning('TLS', facts, "renew the front's certificate, and look at what should renew it")
  else found.ok('TLS', facts)
  return true
}

function openTls(host: string, port: number, ca: string | undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    // What is wrong with the certificate is looked at afterwards: nothing is sent on this connection.
    const socket = connect({ host, port, ...servername, ...trustedWith(ca), rejectUnauthorized: false })
    socket.setTimeout(patience, () => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })))
    socket.on('error', reject)
    socket.on('secureConnect', () => resolve(socket))
  })
}

const names: Record<string, [seen: string, change: string]> = {
  CERT_HAS_EXPIRED: ['', ''],
  ERR_TLS_CERT_ALTNAME_INVALID: ['', ''],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'the chain is incomplete, or its authority is unknown here',
    "send the intermediate certificates too (the front's certificate file), or name the company's own authority with --ca",
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['the certificate is self-signed', 'a certificate that browsers trust, or --ca'],
}
names.UNABLE_TO_GET_ISSUER_CERT_LOCALLY = names.UNABLE_TO_VERIFY_LEAF_SIGNATURE as [string, string]
names.SELF_SIGNED_CERT_IN_CHAIN = [
  'the chain ends in an authority that is unknown here',
  "name the company's own authority with --ca, if agents' browsers trust it",
]

/** Everything that a browser would complain of, not only the first. */
function faultsOf(host: string, certificate: PeerCertificate, untrusted: string | undefined, now: number) {
  const faults: [seen: string, change: string][] = []
  const [from, until] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)]
  if (until <= now) faults.push([`the certificate expired on ${dayOf(until)}`, "renew the front's certificate"])
  else if (from > now) faults.push([`the certificate is not valid before ${dayOf(from)}`, 'the clock of this host'])
  if (checkServerIdentity(host, certificate)) {
    const valid = certificate.subjectaltname ?? String(certificate.subject?.CN)
    faults.push([`the certificate is for ${valid}, not for ${host}`, "publicUrl, or the front's certificate"])
  }
  const code = untrusted ?? ''
  const known = names[code] ?? [`the certificate is not trusted: ${code}`, "the front's certificate"]
  if (untrusted !== undefined && known[0] !== '') faults.push(known)
  else if (untrusted !== undefined && faults.length === 0)
    faults.push([`not trusted: ${code}`, "the front's certificate"])
  return faults
}

/** Nothing that speaks TLS: does it speak http? */
async function explainNoTls(found: Findings, host: string, port: number, cause: string): Promise<void> {
  const answer = await speaksHttp(host, port)
  if (answer)
    return found.problem('TLS', `${host}:${port} speaks plain http`, 'tls, or TLS in the front: publicUrl is https')
  const change = 'check publicUrl, and that the front listens there'
  found.problem('TLS', `no TLS connection to ${host}:${port}: ${cause}`, change)
}

/** Asked only where plain http gets no use out of the port, so that no handshake disturbs a server of http. */
async function speaksTls(host: string, port: number, { publicUrl, browser, ca }: ConnectionDeps): Promise<boolean> {
  const page = await browser.ask(`${publicUrl}/`, { method: 'HEAD', cookies: 'none' }).catch(() => undefined)
  if (page && page.status !== 400) return false
  return openTls(host, port, ca).then(
    socket => {
      socket.destroy()
      return true
    },
    () => false,
  )
}

function speaksHttp(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connectPlain({ host, port })
    socket.setTimeout(patience, () => socket.destroy())
    socket.on('connect', () => socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
    socket.on('data', chunk => {
      resolve(chunk.toString('latin1').startsWith('HTTP/'))
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

/** Whoever types the name alone gets here first. */
async function checkPlainHttp(found: Findings, host: string, browser: Browser): Promise<void> {
  const page = await browser.ask(`http://${host}/`, { cookies: 'none' }).catch(() => undefined)
  if (!page) return found.ok('http', 'port 80 is closed')
  const moves = page.status >= 301 && page.status <= 308 && page.location.startsWith('https:')
  if (moves) return found.ok('http', `port 80 leads to ${page.location}`)
  found.warning(
    'http',
    `port 80 answers ${page.status}`,
    'have the front redirect http to https; hsts keeps browsers from using http',
  )
}
