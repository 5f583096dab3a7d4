// Who takes part: every peer, those that run on Node once for each Node, and who has to stay away.

import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { deskgate, deskgateFar, deskgateLog, deskgateRules } from './deskgate.js'
import { mellon, mellonTuned } from './mellon.js'
import { authRequest, nginx } from './nginx.js'
import { bareUndici, httpProxy } from './node-peers.js'
import { oauth2Proxy } from './oauth2-proxy.js'
import type { Entrant, Peer } from './peer.js'
import { samlAuthProxy } from './saml-auth-proxy.js'

const all: Peer[] = [
  nginx,
  authRequest,
  mellon,
  mellonTuned,
  oauth2Proxy,
  samlAuthProxy,
  httpProxy,
  bareUndici,
  deskgate,
  deskgateLog,
  deskgateFar,
]
/** Only where --only names it: it is compared with Deskgate alone. */
const named: Peer[] = [deskgateRules]

/** Debian packages by the program that is needed of them. */
const needed = { nginx: 'nginx-light', wrk: 'wrk', h2load: 'nghttp2-client', taskset: 'util-linux' }

/** `only`: keys of peers. Throws with what has to be installed, and with keys that nobody has. */
export function entrants(nodes: readonly string[], only?: readonly string[]): { present: Entrant[]; absent: Peer[] } {
  for (const [name, from] of Object.entries(needed)) {
    if (!onPath(name)) throw new Error(`${name} is not on the PATH: apt-get install ${from}`)
  }
  const unknown = only?.find(key => ![...all, ...named].some(peer => peer.key === key))
  if (unknown !== undefined) throw new Error(`--only knows ${[...all, ...named].map(({ key }) => key).join(', ')}`)
  const wanted = only === undefined ? all : [...all, ...named].filter(({ key }) => only.includes(key))
  const here = wanted.filter(({ program }) => program === undefined || onPath(program))
  const versions = new Map(nodes.map(node => [node, execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()]))
  const newestFirst = [...versions.keys()].sort((a, b) => compare(versions.get(b), versions.get(a)))
  const [first = process.execPath] = newestFirst
  const present = here.flatMap((peer): Entrant[] => {
    const on = peer.onNode === 'each' ? newestFirst : [first]
    return on.map(node => ({ peer, node, version: peer.onNode ? versions.get(node) : undefined }))
  })
  return { present, absent: wanted.filter(peer => !here.includes(peer)) }
}

/** Of two versions of Node, as sort() wants it. */
function compare(one = '', other = ''): number {
  return one.localeCompare(other, 'en', { numeric: true })
}

export function onPath(program: string): boolean {
  // Debian keeps servers where only root looks for them.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
