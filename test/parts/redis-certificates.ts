// An authority, a server's and a client's certificate for a Redis that speaks TLS, made with openssl in a folder that the
// test removes.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FileText } from '../../src/config/schema/values.js'

const run = promisify(execFile)

export interface RedisCertificates {
  /** Paths, for the server. Its certificate is for redis.test alone: neither for localhost nor for 127.0.0.1. */
  server: { ca: string; cert: string; key: string }
  /** As the configuration holds them, for the client. */
  client: { ca: FileText; cert: FileText; key: FileText }
  remove(): Promise<void>
}

export async function makeRedisCertificates(): Promise<RedisCertificates> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-certificates-'))
  const at = (name: string) => join(folder, name)
  await writeFile(at('server.ext'), 'subjectAltName=DNS:redis.test\n')
  await writeFile(at('client.ext'), 'extendedKeyUsage=clientAuth\n')
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await run('openssl', ['req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=Test CA'])
  for (const name of ['server', 'client']) {
    await run('openssl', ['req', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`])
    const signing = ['-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial']
    await run('openssl', ['x509', ...signing, '-extfile', at(`${name}.ext`), '-out', at(`${name}.crt`), '-days', '2'])
  }
  const text = async (name: string): Promise<FileText> => ({ path: at(name), text: await readFile(at(name), 'utf8') })
  return {
    server: { ca: at('ca.crt'), cert: at('server.crt'), key: at('server.key') },
    client: { ca: await text('ca.crt'), cert: await text('client.crt'), key: await text('client.key') },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
