// The memory that unfinished forms of this process may hold together, and those of one network. When it is used up the form
// that has been arriving for longest gives way, of the network that holds the most: a client that holds back its last bytes
// keeps nobody else from logging in.

export interface HeldBody {
  /** Whether it may hold this many bytes from now on. It may cost other forms theirs. */
  hold(bytes: number): boolean
  /** It has arrived, or never will. Calling it again does nothing. */
  close(): void
}

export interface BodyBudget {
  /**
   * `network`: whose form it is; `limit`: the bytes of all forms together (limits.bodies), of one network at most a quarter;
   * `giveWay`: called at most once, when it has to let go of what it holds.
   */
  open(network: string, limit: number, giveWay: () => void): HeldBody
  /** The bytes held now. */
  held(): number
}

interface Entry {
  bytes: number
  giveWay: () => void
}

/** In the order of arrival. */
interface Network {
  bytes: number
  entries: Set<Entry>
}

const shareOfNetwork = 1 / 4

export function createBodyBudget(): BodyBudget {
  const networks = new Map<string, Network>()
  let total = 0

  const resize = (network: Network, entry: Entry, bytes: number) => {
    const more = bytes - entry.bytes
    entry.bytes = bytes
    network.bytes += more
    total += more
  }
  const remove = (name: string, network: Network, entry: Entry) => {
    if (!network.entries.delete(entry)) return
    resize(network, entry, 0)
    if (network.entries.size === 0 && networks.get(name) === network) networks.delete(name)
  }
  /** False when there is no other form that could give way. */
  const makeRoom = (name: string, network: Network, asking: Entry): boolean => {
    for (const oldest of network.entries) {
      if (oldest.bytes === 0) continue
      if (oldest === asking) return false
      remove(name, network, oldest)
      oldest.giveWay()
      return true
    }
    return false
  }
  const largest = (): [string, Network] | undefined => {
    let found: [string, Network] | undefined
    for (const one of networks) if (one[1].bytes > (found?.[1].bytes ?? 0)) found = one
    return found
  }

  return {
    held: () => total,
    open(name, limit, giveWay) {
      const network = networks.get(name) ?? { bytes: 0, entries: new Set() }
      networks.set(name, network)
      const entry: Entry = { bytes: 0, giveWay }
      network.entries.add(entry)
      return {
        hold(bytes) {
          const more = bytes - entry.bytes
          while (network.bytes + more > limit * shareOfNetwork) if (!makeRoom(name, network, entry)) return false
          while (total + more > limit) {
            const most = largest()
            if (!most || !makeRoom(...most, entry)) return false
          }
          resize(network, entry, bytes)
          return true
        },
        close: () => remove(name, network, entry),
      }
    },
  }
}
