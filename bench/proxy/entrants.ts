// Who takes part: every peer, those that run on Node once for each Node, and who has to stay away.

import { execFileSync } from 'node:child_process'
import { mellon, mellonTuned, openidc } from './apache.js'
import {
  deskgate,
  deskgateFirst,
  deskgateLog,
  deskgateMany,
  deskgateOf,
  deskgateRules,
  deskgateTwo,
} from './deskgate.js'
import { pathOf } from './machine.js'
import type { Entrant, Peer } from './peer.js'
import { httpProxy, oauth2Proxy, samlAuthProxy } from './proxies.js'
import { haproxy, nginx } from './servers.js'

const own = [deskgate, deskgateMany, deskgateFirst, deskgateTwo, deskgateLog]
const all: Peer[] = [nginx, haproxy, mellon, mellonTuned, openidc, oauth2Proxy, samlAuthProxy, httpProxy, ...own]
/** Only where --only names it: it is compared with Deskgate alone. */
const named: Peer[] = [deskgateRules]

/** Debian packages by the program that is needed of them. */
const needed = { nginx: 'nginx-light', wrk: 'wrk', taskset: 'util-linux' }

export interface Wanted {
  nodes: readonly string[]
  /** Keys of peers. */
  only?: readonly string[] | undefined
  /** Another checkout, built, which takes part as well. */
  before?: string | undefined
}

/** Throws with what has to be installed, and with keys that nobody has. */
export function entrants({ nodes, only, before }: Wanted): { present: Entrant[]; absent: Peer[] } {
  for (const [name, from] of Object.entries(needed)) {
    if (pathOf(name) === undefined) throw new Error(`${name} is not on the PATH: apt-get install ${from}`)
  }
  const unknown = only?.find(key => ![...all, ...named].some(peer => peer.key === key))
  if (unknown !== undefined) throw new Error(`--only knows ${[...all, ...named].map(({ key }) => key).join(', ')}`)
  const asked = only === undefined ? all : [...all, ...named].filter(({ key }) => only.includes(key))
  const wanted = before === undefined ? asked : [...asked, deskgateOf(before)]
  const here = wanted.filter(({ program }) => program === undefined || pathOf(program) !== undefined)
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
