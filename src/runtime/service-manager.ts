// Tells systemd that this process is ready, reloads, drains or lives, by the program systemd-notify: Node has no Unix
// datagrams. Starts nothing when NOTIFY_SOCKET is not set, which is everywhere but in a unit with Type=notify.

import { execFile } from 'node:child_process'

export interface ServiceManager {
  /** `status` is the line that `systemctl status` shows. */
  ready(status: string): void
  /** Runs a reload. systemd shows the service as reloading until it has settled. */
  reload(run: () => Promise<string>): Promise<void>
  /** Resolves once it is told: a process that ends sooner is one that systemd believes to run. */
  stopping(status: string): Promise<void>
  /** Sends a sign of life at half of WatchdogSec, each after `before`, as long as the event loop runs. */
  watch(before?: () => void): void
}

interface ServiceManagerDeps {
  env: NodeJS.ProcessEnv
  pid: number
  log: { warn(facts: object, message: string): void }
  every?: (ms: number, run: () => void) => void
}

/** For systemd-notify, in milliseconds: it waits until systemd has read the message. */
const timeout = 10_000

export function createServiceManager(deps: ServiceManagerDeps): ServiceManager {
  const { env, pid, every = unreferencedInterval } = deps
  const send = createSender(deps)
  return {
    ready: status => void send('READY=1', `STATUS=${status}`),
    async reload(run) {
      const usec = process.hrtime.bigint() / 1000n
      const started = send('RELOADING=1', `MONOTONIC_USEC=${usec}`, 'STATUS=Reloading the configuration')
      const status = await run()
      await started
      await send('READY=1', `STATUS=${status}`)
    },
    stopping: status => send('STOPPING=1', `STATUS=${status}`),
    watch(before = () => {}) {
      const interval = watchdogInterval(env, pid)
      if (interval === undefined) return
      let sending = false
      every(interval, () => {
        before()
        if (sending) return
        sending = true
        void send('WATCHDOG=1').then(() => {
          sending = false
        })
      })
    },
  }
}

/** Sends one message after the other, and never rejects: a service that systemd does not hear of still serves. */
function createSender({ env, log }: ServiceManagerDeps): (...lines: string[]) => Promise<void> {
  const { NOTIFY_SOCKET, PATH } = env
  if (!NOTIFY_SOCKET) return async () => {}
  let last = Promise.resolve()
  let failing = false
  const run = (lines: string[]) =>
    new Promise<void>(resolve => {
      execFile('systemd-notify', lines, { env: { NOTIFY_SOCKET, PATH }, timeout }, error => {
        if (error && !failing) log.warn({ cause: causeOf(error), lines }, 'systemd could not be notified')
        failing = error !== null
        resolve()
      })
    })
  return (...lines) => {
    last = last.then(() => run(lines))
    return last
  }
}

function causeOf(error: Error & { code?: unknown; signal?: unknown }): string {
  if (error.code === 'ENOENT') return 'systemd-notify is not installed or not in PATH'
  return error.message.trim()
}

/** Milliseconds between two signs of life; undefined when systemd waits for none from this process. */
export function watchdogInterval(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC = '', WATCHDOG_PID } = env
  if (!env.NOTIFY_SOCKET || !/^[1-9]\d{0,15}$/.test(WATCHDOG_USEC)) return undefined
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined
  return Math.max(1, Math.floor(Number(WATCHDOG_USEC) / 2000))
}

function unreferencedInterval(ms: number, run: () => void): void {
  setInterval(run, Math.min(ms, 2 ** 31 - 1)).unref()
}
