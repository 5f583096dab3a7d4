// A process of its own for each part of the measurement but the gateway, so that none of them waits for another's event
// loop: Desk, the agent at work, and the clients that flood. Its argument is the part; floods.ts talks to it by messages.

import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setPriority } from 'node:os'
import { atExit } from '../../test/parts/at-exit.js'
import { holdForms, requestBytes, smallPage, startFloodedDesk } from '../../test/parts/flood.js'
import { type Load, startLoad } from '../../test/parts/load.js'
import { otherCores } from '../proxy/machine.js'

/** Of `flood`: so many requests on each of so many connections, of which nothing is read, or so many forms. */
export type FloodPlan = { port: number } & ({ connections: number; requests: number } | { forms: number })

export interface DeskState {
  url: string
  /** The most connections at once. */
  most: number
}

/** Of the agent since the last question. */
export interface AgentState {
  times: number[]
  failures: string[]
}

/** Requests of the agent a second, each sent within a millisecond of when it is due. */
const perSecond = 100
const floodAddress = 'X-Forwarded-For: 198.51.100.1'

const parts: Record<string, () => Promise<(message: never) => unknown>> = {
  /** Every message is answered with DeskState. */
  async desk() {
    const desk = await startFloodedDesk()
    return (): DeskState => ({ url: desk.url, most: desk.most() })
  },
  /** A port: it begins. Every other message is answered with AgentState, `stop` when the last request is answered. */
  async agent() {
    let load: Load | undefined
    return async ({ port, stop }: { port?: number; stop?: boolean }): Promise<AgentState> => {
      load ??= startLoad({
        origin: `http://127.0.0.1:${port}`,
        path: '/page',
        headers: { host: 'desk.example.com', 'x-forwarded-for': '192.0.2.1' },
        perSecond,
        tick: 1,
        check: (_, body) => (body === smallPage ? undefined : 'another page'),
      })
      if (stop) await load.stop()
      return { times: load.times.splice(0), failures: load.failures.splice(0) }
    }
  },
  async flood() {
    const sockets = new Set<Socket>()
    return async (plan: FloodPlan) => {
      if ('forms' in plan) await holdForms(plan.port, plan.forms, sockets, floodAddress)
      else await leaveUnread(plan, sockets)
      return 'begun'
    }
  },
}

interface Unread {
  port: number
  connections: number
  requests: number
}

/** All of them write at the same moment. */
async function leaveUnread({ port, connections, requests }: Unread, sockets: Set<Socket>): Promise<void> {
  const bytes = requestBytes('GET /open/big', floodAddress).repeat(requests)
  const opened = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1').pause()
    sockets.add(socket.on('error', () => {}))
    return new Promise<void>(resolve => void socket.once('connect', resolve).once('close', () => resolve()))
  })
  await Promise.all(opened)
  for (const socket of sockets) socket.write(bytes)
}

export interface Part {
  ask<Answer>(message: object): Promise<Answer>
  stop(): void
}

export async function startPart(kind: 'desk' | 'agent' | 'flood'): Promise<Part> {
  const child = fork(import.meta.filename, [kind])
  const [pid, stay] = [child.pid ?? 0, atExit(() => void child.kill())]
  execFileSync('taskset', ['-a', '-c', '-p', otherCores, `${pid}`], { stdio: 'ignore' })
  // The flood takes no processor from those whom it is to disturb through the gateway.
  if (kind === 'flood') setPriority(pid, 10)
  await once(child, 'message')
  return {
    async ask(message) {
      child.send(message)
      const [answer] = await once(child, 'message')
      return answer
    },
    stop() {
      stay()
      child.kill()
    },
  }
}

const part = parts[process.argv[2] ?? '']
if (part && process.send) {
  const handle = await part()
  process.on('message', async message => process.send?.(await handle(message as never)))
  // Whoever started it has ended.
  process.on('disconnect', () => process.exit())
  process.send('ready')
}
