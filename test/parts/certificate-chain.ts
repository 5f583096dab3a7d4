// A chain of certificates by openssl, with the key of each: a root, an authority below it, a leaf that expires in five
// days, and some that have nothing to do with it.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { programPath } from './required-parts.js'

const run = promisify(execFile)

export interface Chain {
  root: SigningKey
  middle: SigningKey
  leaf: SigningKey
  /** Has the name of `middle`, and has issued nothing. */
  namesake: SigningKey
  alone: SigningKey
  /** The key of `alone` in a newer certificate. */
  renewed: SigningKey
}

/** Ask `missingParts('openssl')` first. */
export async function createChain(): Promise<Chain> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-chain-'))
  const openssl = (...args: string[]) => run(programPath('openssl'), args, { cwd: folder })
  const key = ['-newkey', 'rsa:2048', '-nodes']
  const ownIssuer = (name: string, subject: string) =>
    openssl('req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '3650', '-subj', subject)
  const issue = async (name: string, by: string, extension: string) => {
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    await writeFile(join(folder, `${name}.ext`), `basicConstraints=${extension}\n`)
    const signer = ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-extfile', `${name}.ext`]
    await openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-days', '5', ...signer)
  }
  const read = async (name: string, keyOf = name): Promise<SigningKey> => ({
    key: await readFile(join(folder, `${keyOf}.key`), 'utf8'),
    certificate: await readFile(join(folder, `${name}.crt`), 'utf8'),
  })
  try {
    await ownIssuer('root', '/CN=root')
    await issue('middle', 'root', 'CA:TRUE')
    await issue('leaf', 'middle', 'CA:FALSE')
    await ownIssuer('namesake', '/CN=middle')
    await ownIssuer('alone', '/CN=alone')
    await openssl('req', '-x509', '-key', 'alone.key', '-out', 'renewed.crt', '-days', '90', '-subj', '/CN=alone')
    return {
      root: await read('root'),
      middle: await read('middle'),
      leaf: await read('leaf'),
      namesake: await read('namesake'),
      alone: await read('alone'),
      renewed: await read('renewed', 'alone'),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
