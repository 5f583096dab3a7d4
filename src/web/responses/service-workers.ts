// Desk has no service workers while the session desk is on. Attack: one whose scope covers the session desk reads its
// pages, whatever they are sent with: Chromium hands it the answer to the browser's own navigation (the source
// race-network-and-fetch-handler of static routes), and no header tells so. One that is registered already removes itself
// when the browser looks for a new version.

import type { IncomingMessage } from 'node:http'
import type { ConfigSnapshot, ResponseData } from '../context.js'

const script = `// The gateway in front has no service workers.
addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(registration.unregister()))
`

/** Browsers send `Service-Worker: script` with every script of a worker, at its registration and at each update. */
export function asksForServiceWorker({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 14 && name.toLowerCase() === 'service-worker') return true
  }
  return false
}

export function isSessionDeskOn({ config }: Pick<ConfigSnapshot, 'config'>): boolean {
  return config.admin.roles.length > 0
}

/** `Service-Worker-Allowed`: also for one that was registered for more than its own folder. */
export const noServiceWorker: ResponseData = {
  status: 200,
  headers: [
    ...['Content-Type', 'text/javascript; charset=utf-8', 'Cache-Control', 'no-store'],
    ...['Service-Worker-Allowed', '/', 'X-Content-Type-Options', 'nosniff'],
  ],
  body: script,
}
