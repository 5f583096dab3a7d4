// Whether a gateway does what it is measured for: the page is Desk's, byte for byte, Desk has seen who asks, and nobody
// gets in without a session. One that does not is not measured.

import { createHash } from 'node:crypto'
import { WebSocket } from 'ws'
import { type Desk, email, type pages } from './desk.js'
import { ask } from './logins.js'
import type { Peer, Running } from './peer.js'

export interface Contestant {
  peer: Peer
  running: Running
  desk: Desk
}

export const urlOf = ({ running: { port } }: Contestant, path: string) => `http://127.0.0.1:${port}/${path}`

/** Rejects when the page is another one. */
export async function checkPage(one: Contestant, page: keyof typeof pages): Promise<void> {
  const { status, body } = await ask(urlOf(one, page), one.running.headers)
  const digest = createHash('sha256').update(body).digest('hex')
  if (status === 200 && digest === one.desk.digests[page]) return
  throw new Error(`${one.peer.name} answered /${page} with ${status} and ${body.length} bytes that are not Desk's`)
}

/** Rejects when Desk did not get the upload whole. */
export async function checkUpload(one: Contestant, bytes: number): Promise<void> {
  const { status, body } = await ask(urlOf(one, 'upload'), one.running.headers, { body: Buffer.alloc(bytes, 'x') })
  // Desk counts the head as well.
  const head = Number(body.toString()) - bytes
  if (status !== 200 || !(head > 0 && head < 4096)) throw new Error(`${one.peer.name}: ${status}, Desk got ${body}`)
}

/** Rejects when anybody gets in, or can say who he is, or Desk does not see the agent. For those who know sessions. */
export async function checkIdentity(one: Contestant): Promise<void> {
  const { peer, running } = one
  if (!peer.identity) return
  const { cookie: _, ...without } = running.headers
  const stranger = await ask(urlOf(one, 'small'), without)
  if (stranger.status === 200) throw new Error(`${peer.name} lets a stranger in`)
  // Attack: anyone who has a session says that he is somebody else.
  const { status, body } = await ask(urlOf(one, 'seen'), { ...running.headers, [peer.identity]: 'eve@example.com' })
  const [seen, assertion = ''] = body.toString().split('\n')
  if (status !== 200 || seen !== email) throw new Error(`${peer.name}: ${status}, Desk saw ${seen}`)
  const signed = /^[\w-]+\.[\w-]+\.[\w-]{86}$/.test(assertion)
  if (peer.assertion && !signed) throw new Error(`${peer.name} sent no signed assertion`)
}

/** Rejects when a WebSocket opens without a session. */
export async function checkSocket({ peer, running }: Contestant): Promise<void> {
  if (!peer.identity) return
  const { cookie: _, ...headers } = running.headers
  const socket = new WebSocket(`ws://127.0.0.1:${running.port}/echo`, { headers })
  const opened = await new Promise(resolve => socket.on('open', () => resolve(true)).on('error', () => resolve(false)))
  socket.terminate()
  if (opened) throw new Error(`${peer.name} opens a WebSocket for a stranger`)
}
