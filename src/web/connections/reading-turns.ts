// Connections take turns to be read. Attack: Node reads up to 64 kB of each connection, and parses all of it, before it
// does anything else; 64 clients that send hundreds of requests at once would keep everyone else waiting for 0.7 s.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { openSockets } from './drain.js'

export interface ReadingTurns {
  /** Call it once, for the server. */
  watch(server: Server): void
  /** Call it for each request that waits behind another of its connection. */
  count(): void
}

/** The inner part of a socket that begins and ends reading at once, without an effect on its `pause` and `resume`. */
interface Handle {
  reading: boolean
  readStart(): void
  readStop(): void
}
type ServerSocket = Socket & { parser?: object | null; _handle?: Handle | null }

/** Waiting requests that may arrive in one turn of the event loop before all other connections have to wait for the next. */
const mostInTurn = 64

/** Milliseconds until connections that were never answered are read again, for the requests of all others. */
const rest = 10

export function createReadingTurns(): ReadingTurns {
  let open: ReadonlySet<Socket> = new Set()
  let held: Socket[] = []
  let [arrived, newestFirst] = [0, false]

  const hold = () => {
    for (const socket of open as ReadonlySet<ServerSocket>) {
      // After an upgrade there is no parser to flood, and only Node's server would resume a socket that is held and paused.
      if (!socket.parser || !socket._handle?.reading) continue
      socket._handle.reading = false
      socket._handle.readStop()
      held.push(socket)
    }
  }
  const release = () => {
    const isKnown = ({ bytesWritten }: Socket) => bytesWritten > 0
    const strangers = held.filter(socket => !isKnown(socket))
    for (const socket of held) if (isKnown(socket)) readOn(socket)
    ;[held, arrived] = [[], 0]
    if (strangers.length > 0) setTimeout(releaseStrangers, rest, strangers)
  }

  /** What is resumed first is read first: by turns the newest and the oldest, so that neither place is an attacker's. */
  const releaseStrangers = (strangers: Socket[]) => {
    newestFirst = !newestFirst
    for (const socket of newestFirst ? strangers.reverse() : strangers) readOn(socket)
  }

  return {
    watch(server) {
      open = openSockets(server)
    },
    count() {
      if (arrived++ === 0) setImmediate(release)
      if (arrived === mostInTurn) hold()
    },
  }
}

function readOn(socket: ServerSocket) {
  const { _handle: handle, parser } = socket
  // Without a parser, as while a request is read again (read-again.ts), nobody else would start it.
  if (!handle || handle.reading || (parser && socket.isPaused())) return
  handle.reading = true
  handle.readStart()
}
