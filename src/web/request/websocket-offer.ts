// Whether a request offers to switch to WebSocket. Every other offer of an Upgrade is ignored (RFC 9110 7.8).

import type { IncomingMessage } from 'node:http'

/** Whether `websocket` is among the protocols of an Upgrade header, in any case. */
export function namesWebSocket(upgrade: string): boolean {
  return upgrade.split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')
}

export function offersWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade !== undefined && namesWebSocket(headers.upgrade)
}
