// How the cluster client opens its connections. ioredis connects to a lost node at each command, and again to ask who serves
// what: a node that refuses connections would get one for each request. Here each node has its pauses, during which every
// attempt fails at once, with what the node said last.

import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { Random } from '../../core/clock.js'
import { createPauses, type Pauses } from './reconnection.js'

interface Node {
  pauses: Pauses
  /** Why the last attempt failed. */
  failure: Error | undefined
  /** Whether the pause is over, and nobody has tried since. */
  due: boolean
}

type NodeOptions = Pick<RedisOptions, 'host' | 'port' | 'tls' | 'disconnectTimeout' | 'connectTimeout'>

const ping = '*1\r\n$4\r\nPING\r\n'
const longestReply = 4096
/** What a node says that closes the connection; to others it answers PONG, or that it wants a login first. */
const refusals = /^-(?:ERR|DENIED) /

export function createNodeConnector({ random }: { random: Random }) {
  /** Those whose last attempt failed, or is under way. */
  const nodes = new Map<string, Node>()

  return class NodeConnector extends AbstractConnector {
    readonly nodeOptions: NodeOptions

    constructor(options: unknown) {
      const known = options as NodeOptions
      super(known.disconnectTimeout ?? 0)
      this.nodeOptions = known
    }

    override async connect(): Promise<Socket> {
      const address = `${this.nodeOptions.host}:${this.nodeOptions.port}`
      const node = nodes.get(address) ?? { pauses: createPauses({ random }), failure: undefined, due: true }
      nodes.set(address, node)
      if (node.failure && !node.due) throw node.failure
      node.due = false
      this.connecting = true
      const socket = open(this.nodeOptions)
      this.stream = socket
      socket.on('connect', node.pauses.accepted).on('error', error => {
        this.firstError ??= error
      })
      try {
        await greet(socket, this.nodeOptions.connectTimeout ?? 2000)
      } catch (error) {
        socket.destroy()
        const failure = this.firstError ?? (error as Error)
        if (this.connecting) failed(node, failure)
        else node.due = true
        throw failure
      }
      nodes.delete(address)
      return socket
    }
  }
}

function failed(node: Node, failure: Error): void {
  node.failure = failure
  setTimeout(() => {
    node.due = true
  }, node.pauses.next()).unref()
}

function open({ host, port, tls }: NodeOptions): Socket {
  const address = { host: host ?? '127.0.0.1', port: port ?? 6379 }
  return tls ? connectTls({ ...address, ...tls }) : createConnection(address)
}

/** Resolves once the node has answered. One write: the words of a node that refuses are lost when more is sent. */
function greet(socket: Socket, limit: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let reply = ''
    const failed = (code: string) => reject(Object.assign(new Error('no answer from the node'), { code }))
    const timer = setTimeout(failed, limit, 'ETIMEDOUT')
    const onData = (chunk: Buffer) => {
      reply += chunk.toString('latin1')
      const end = reply.indexOf('\r\n')
      if (end < 0 && reply.length < longestReply) return
      finish()
      if (!refusals.test(reply)) return resolve()
      reject(Object.assign(new Error(reply.slice(1, end < 0 ? undefined : end)), { name: 'ReplyError' }))
    }
    const onClose = () => {
      finish()
      failed('ECONNRESET')
    }
    const finish = () => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose).pause()
    }
    socket.on('data', onData).on('close', onClose)
    socket.write(ping)
  })
}
