// How long the gateway waits for either side of an exchange with Desk, in milliseconds. The time that Desk has for its
// response is desk.timeout.

export interface Timeouts {
  /** Between two chunks of a request body. */
  body: number
  /** Until one side reads the data that waits for it. */
  unread: number
  /** For the rest of a response that has ended its session. */
  afterLogout: number
  /** For the rest of the current frame when a WebSocket is closed. */
  frame: number
  /** For the browser to close its side. */
  closing: number
}

/** Closing a WebSocket takes less than a second. */
export const defaultTimeouts: Timeouts = {
  body: 60_000,
  unread: 300_000,
  afterLogout: 30_000,
  frame: 500,
  closing: 400,
}
