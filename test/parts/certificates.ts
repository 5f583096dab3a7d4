// An own certificate authority for tests, by openssl in a temporary folder: leaf certificates for made-up host names,
// good ones and wrong ones.

import { execFile } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { programPath } from './required-parts.js'

const run = promisify(execFile)

export interface Leaf {
  /** PEM: the leaf and then the authority, as a server sends them. */
  cert: string
  key: string
  /** The same as files. */
  certFile: string
  keyFile: string
}

export interface Authority {
  /** PEM, and as a file for NODE_EXTRA_CA_CERTS. */
  cert: string
  certFile: string
  /** SHA-256 of the authority's public key, base64: for the browser's `trust`. */
  spki: string
  /** A certificate for DNS names and IP addresses; `days: -1` for one that has ended. */
  issue(names: string[], options?: { days?: number }): Promise<Leaf>
  /** Removes the folder. */
  remove(): Promise<void>
}

/** Makes an authority; ask `missing('openssl')` first. */
export async function createAuthority(name = 'Deskgate test authority'): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-ca-'))
  const file = (part: string) => join(folder, part)
  const openssl = (...args: string[]) => run(programPath('openssl'), args, { cwd: folder })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
  const subject = ['-subj', `/CN=${name}`]
  const asked = extensions.flatMap(extension => ['-addext', extension])
  await openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '90', ...subject, ...asked)
  const cert = await readFile(file('ca.crt'), 'utf8')
  let issued = 0

  return {
    cert,
    certFile: file('ca.crt'),
    spki: spkiOf(cert),
    async issue(names, { days = 90 } = {}) {
      const serial = ++issued
      const [id, first = 'localhost'] = [`leaf${serial}`, ...names]
      const alternatives = names.map(one => `${/^[\d.]+$|:/.test(one) ? 'IP' : 'DNS'}:${one}`).join(',')
      await writeFile(file(`${id}.ext`), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`)
      await openssl('req', ...curve, '-keyout', `${id}.key`, '-out', `${id}.csr`, '-subj', `/CN=${first}`)
      // With a serial file, two certificates that are issued at once would read it half written.
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', `${serial}`, '-extfile', `${id}.ext`]
      await openssl('x509', '-req', '-in', `${id}.csr`, '-out', `${id}.crt`, '-days', String(days), ...signed)
      const chain = (await readFile(file(`${id}.crt`), 'utf8')) + cert
      await writeFile(file(`${id}.pem`), chain)
      const key = await readFile(file(`${id}.key`), 'utf8')
      return { cert: chain, key, certFile: file(`${id}.pem`), keyFile: file(`${id}.key`) }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo), base64. */
export function spkiOf(pem: string): string {
  const der = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(der).digest('base64')
}
