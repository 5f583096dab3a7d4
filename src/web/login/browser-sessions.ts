// Which session a browser holds: by its session cookie, and, where a cross-site POST does not carry that, by the sealed
// mark beside it. The mark grants nothing: it only says what a new login would replace.

import type { Handle, Session, Sessions } from '../../core/contracts.js'
import type { Cookies, Jar } from '../request/cookies.js'
import type { Sealer } from './attempts.js'

export interface Holder {
  /** The live session that the session cookie names. Throws StoreUnavailable. */
  current(jar: Jar): Promise<Session | undefined>
  /** Every live session that this browser shows a sign of, that of the session cookie first. Throws StoreUnavailable. */
  held(jar: Jar): Promise<Session[]>
  /** The value of the mark for a session. */
  mark(cookies: Cookies, handle: Handle): string
}

/** A browser holds one or two marks: one for each path. */
const mostMarks = 4

export function createHolder(deps: {
  sessions: Pick<Sessions, 'peek' | 'read'>
  keyring: Sealer
  handleOf: (cookie: string) => Handle
}): Holder {
  const { sessions, keyring, handleOf } = deps
  const read = async (handle: Handle) => sessions.peek(handle) ?? (await sessions.read(handle))
  const own = ({ cookies, header }: Jar): Handle[] => {
    const cookie = cookies.readSession(header)
    return cookie === undefined ? [] : [handleOf(cookie)]
  }
  // Attack: a sibling host can plant a mark of its own session beside ours, so that a hand-over overlooks who is logged
  // in here. Every mark counts, not only the first.
  const marked = ({ cookies, header }: Jar): Handle[] =>
    valuesOf(header, cookies.seen)
      .slice(0, mostMarks)
      .flatMap(sealed => keyring.open('seen', sealed, cookies.seen)?.toString('base64url') ?? [])

  return {
    async current(jar) {
      const [handle] = own(jar)
      return handle === undefined ? undefined : read(handle)
    },
    async held(jar) {
      const handles = [...new Set([...own(jar), ...marked(jar)])]
      const found = await Promise.all(handles.map(read))
      return found.filter(session => session !== undefined)
    },
    mark: (cookies, handle) => keyring.seal('seen', Buffer.from(handle, 'base64url'), cookies.seen),
  }
}

function valuesOf(header: string | undefined, name: string): string[] {
  const pair = `${name}=`
  return (header ?? '').split(';').flatMap(part => {
    const cookie = part.startsWith(' ') ? part.slice(1) : part
    return cookie.startsWith(pair) ? [cookie.slice(pair.length)] : []
  })
}
