// `deskgate import`: our configuration from that of another gateway, and on stderr every option that is not carried over.

import { stringify } from 'yaml'
import { printable } from '../../config/problems.js'
import { createReader } from '../../config/reader.js'
import { convert, type Peer } from '../import/convert.js'
import { mellon } from '../import/mellon.js'
import { oauth2Proxy } from '../import/oauth2-proxy.js'
import { samlAuthProxy } from '../import/saml-auth-proxy.js'
import type { ExitCode, Io } from '../io.js'
import { createFiles } from '../new-files.js'

export const peers: Readonly<Record<string, Peer>> = {
  'oauth2-proxy': oauth2Proxy,
  'saml-auth-proxy': samlAuthProxy,
  mellon,
}

/** `kind`: a key of peers. Writes to stdout, or to a new file. */
export function importFrom(kind: string, file: string, { output }: { output?: string }, io: Io): ExitCode {
  const peer = peers[kind]
  const failed = (problem: string): ExitCode => {
    io.err(`${problem}; nothing was written`)
    return 1
  }
  if (!peer) return failed(`unknown kind ${printable(kind)}`)
  let text: string
  try {
    ;({ text } = createReader({ folder: '.', env: {} }).file(file))
  } catch (error) {
    return failed((error as Error).message)
  }
  const read = peer.read(text)
  if ('problem' in read) return failed(`${printable(file)}: ${read.problem}`)
  if (read.entries.length === 0) return failed(`${printable(file)}: no option of ${kind} found`)
  const { config, left } = convert(peer, read.entries)
  const yaml = `# From ${kind}, by deskgate import. Every setting: config/reference.yaml. Next: deskgate check\n${stringify(config, { lineWidth: 0 })}`
  const refused = output === undefined ? [] : createFiles([{ path: output, text: yaml }])
  if (refused[0] !== undefined) return failed(refused[0])
  if (output === undefined) io.out(yaml.trimEnd())
  for (const line of [...read.left, ...left]) io.err(line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' '))
  return 0
}
