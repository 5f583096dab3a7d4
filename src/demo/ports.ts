// Finds free ports on this machine for the demo's three servers.

import { type AddressInfo, createServer, type Server } from 'node:net'

/** How many ports after the wanted one are tried. */
const tries = 50

/**
 * The wanted port and the two next free ones; 0: any three free ones.
 * Throws when the wanted port is taken, or cannot be had.
 */
export async function choosePorts(wanted: number, host: string): Promise<[number, number, number]> {
  const held: Server[] = []
  // Each stays held until all are chosen, so that no two are the same.
  const next = async (from: number, count: number) => {
    for (let port = from; port < from + count; port++) {
      const probe = await hold(port, host)
      if (!probe) continue
      held.push(probe)
      return (probe.address() as AddressInfo).port
    }
    throw new Error(`port ${from} is taken: choose another with --port`)
  }
  try {
    const first = await next(wanted, 1)
    const second = await next(wanted === 0 ? 0 : first + 1, tries)
    const third = await next(wanted === 0 ? 0 : second + 1, tries)
    return [first, second, third]
  } finally {
    await Promise.all(held.map(probe => new Promise(resolve => probe.close(resolve))))
  }
}

/** Undefined when the port is taken. */
function hold(port: number, host: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    probe.listen({ host, port }, () => resolve(probe))
  })
}
