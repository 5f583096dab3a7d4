// What runs in a worker thread: one verification at a time, and a word to the pool when it begins, from which on its time
// counts. It holds nothing between two messages.

import { parentPort } from 'node:worker_threads'
import { type SamlVerified, type SamlVerifyInput, verifySaml } from './verify.js'

/** What the pool hands over. */
export interface SamlTask {
  /** Names the task in the word back. */
  id: number
  input: SamlVerifyInput
}

/** The word back. */
export interface Begun {
  begun: number
}

export async function verify({ id, input }: SamlTask): Promise<SamlVerified> {
  const begun: Begun = { begun: id }
  parentPort?.postMessage(begun)
  return verifySaml(input)
}
