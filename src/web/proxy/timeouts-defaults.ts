// How long the gateway waits for the two sides of an exchange with Desk, in milliseconds. What Desk has until it answers is
// set by the operator (desk.timeout).

export interface Patience {
  /** Between two pieces of a request's body. */
  body: number
  /** For one side to take what waits for it. */
  unread: number
  /** For the rest of a frame of a WebSocket that is closed. */
  frame: number
  /** For the browser to close its side of it. */
  goodbye: number
}

/** A WebSocket that is closed is gone in less than a second. */
export const usualPatience: Patience = { body: 60_000, unread: 300_000, frame: 500, goodbye: 400 }
