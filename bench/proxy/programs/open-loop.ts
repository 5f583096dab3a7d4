// Requests by the clock, whatever the gateway does: each is due at a random moment of an even rate (Poisson), goes out on
// the first of 64 kept connections that is free, and its wait counts from when it was due. A process of its own over raw
// sockets, so that it is cheap beside the gateway. Talks by messages: a Plan in, Answers out.

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

export interface Plan {
  port: number
  /** A request, with the text `{cookie}` in the place of each session's. */
  request: string
  /** A file with a line for each session. */
  cookies?: string
  /** How sessions follow each other: any of them, or each in its turn, going on where the last plan ended. */
  order?: 'random' | 'next'
  /** Without it each connection sends as soon as it is answered, and sessions follow from the first one. */
  perSecond?: number
  count: number
}

/** Milliseconds. */
export interface Answers {
  answered: number
  seconds: number
  p50: number
  p99: number
  longest: number
  /** How late this process looked at what was due (p99): the machine's share of the waiting. */
  late: number
}

interface Connection {
  socket: Socket
  /** When its request was due. */
  due: number
  /** Bytes that are missing of the body; -1: the head is. */
  left: number
  head: string
}

const connections = 64
/** Milliseconds between two looks at what is due. */
const tick = 0.25
/** Node's own timers count whole milliseconds: this thread wakes the other one more often. */
const ticking = `const { parentPort, workerData } = require('node:worker_threads')
const cell = new Int32Array(new SharedArrayBuffer(4))
for (;;) { Atomics.wait(cell, 0, 0, workerData); parentPort.postMessage(0) }`

const lists = new Map<string, string[]>()
const cursors = new Map<string, number>()
let kept: Connection[] = []
let keptPort = 0

async function run(plan: Plan): Promise<Answers> {
  const { request, cookies, order = 'random', perSecond, count } = plan
  const list = cookies === undefined ? undefined : listOf(cookies)
  const [waits, lates] = [new Float64Array(count), new Float64Array(count)]
  const queue: number[] = []
  let [answered, sent, head] = [0, 0, 0]
  const open = await connectionsTo(plan.port)
  const free = [...open]
  if (cookies !== undefined && perSecond === undefined) cursors.set(cookies, 0)
  const began = performance.now()

  const next = (): string => {
    if (!list || cookies === undefined) return request
    const at = order === 'random' ? Math.floor(Math.random() * list.length) : (cursors.get(cookies) ?? 0)
    if (order === 'next') cursors.set(cookies, at + 1)
    const cookie = list[at]
    if (cookie === undefined) throw new Error(`no session is left of ${list.length}`)
    return request.replace('{cookie}', cookie)
  }
  const send = (connection: Connection, due: number) => {
    connection.due = due
    connection.left = -1
    connection.socket.write(next(), 'latin1')
  }
  const onAnswer = (connection: Connection) => {
    waits[answered++] = performance.now() - connection.due
    if (answered === count) return finish?.()
    if (perSecond === undefined) {
      if (sent < count) {
        sent++
        send(connection, performance.now())
      }
    } else if (head < queue.length) send(connection, queue[head++] as number)
    else free.push(connection)
  }
  let finish: (() => void) | undefined
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve
    for (const connection of open) {
      connection.socket.removeAllListeners()
      connection.socket.on('data', chunk => {
        try {
          if (take(connection, chunk)) onAnswer(connection)
        } catch (error) {
          reject(error)
        }
      })
      connection.socket.on('error', reject).on('close', () => reject(new Error('a connection was closed')))
    }
    setTimeout(() => reject(new Error(`${count - answered} requests are not answered`)), patience(plan)).unref()
  })
  let timer: Worker | undefined
  if (perSecond === undefined) {
    for (; sent < Math.min(connections, count); sent++) send(open[sent] as Connection, performance.now())
  } else {
    let due = began
    timer = new Worker(ticking, { eval: true, workerData: tick })
    timer.on('message', () => {
      const now = performance.now()
      for (; sent < count && due <= now; sent++) {
        lates[sent] = now - due
        const connection = free.shift()
        if (connection) send(connection, due)
        else queue.push(due)
        due += (-Math.log(1 - Math.random()) * 1000) / perSecond
      }
    })
  }
  await ended
  void timer?.terminate()
  const seconds = (performance.now() - began) / 1000
  waits.sort()
  lates.sort()
  const at = (values: Float64Array, share: number) => values[Math.min(count - 1, Math.floor(count * share))] ?? 0
  return { answered, seconds, p50: at(waits, 0.5), p99: at(waits, 0.99), longest: at(waits, 1), late: at(lates, 0.99) }
}

const patience = ({ perSecond, count }: Plan) => 60_000 + (count / (perSecond ?? 1000)) * 1000

/** Whether the answer is whole. Throws when it is not a page. */
function take(connection: Connection, chunk: Buffer): boolean {
  if (connection.left < 0) {
    const text = connection.head + chunk.toString('latin1')
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      connection.head = text
      return false
    }
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1]
    if (length === undefined || !text.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${text.slice(0, end)}`)
    connection.left = Number(length) - (text.length - end - 4)
    connection.head = ''
  } else connection.left -= chunk.length
  return connection.left === 0
}

function listOf(file: string): string[] {
  const list = lists.get(file) ?? readFileSync(file, 'utf8').trim().split('\n')
  lists.set(file, list)
  return list
}

/** Those of the last plan, where it was for the same gateway and they are all still open. */
async function connectionsTo(port: number): Promise<Connection[]> {
  if (port === keptPort && kept.every(({ socket }) => socket.readyState === 'open')) return kept
  for (const { socket } of kept) socket.removeAllListeners().destroy()
  keptPort = port
  kept = Array.from({ length: connections }, () => ({
    socket: connect(port, '127.0.0.1').setNoDelay(),
    due: 0,
    left: 0,
    head: '',
  }))
  await Promise.all(
    kept.map(({ socket }) => new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))),
  )
  return kept
}

process.on('message', (plan: Plan) => {
  run(plan).then(
    answers => process.send?.(answers),
    (error: Error) => process.send?.({ error: error.message }),
  )
})
process.on('disconnect', () => process.exit())
