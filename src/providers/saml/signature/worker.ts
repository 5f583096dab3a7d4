// What runs in a worker thread: one verification at a time, and a message to the pool when it starts, from which on its
// time counts. It keeps nothing between two messages.

import { parentPort } from 'node:worker_threads'
import { type VerifyInput, type VerifyResult, verifySaml } from './verify.js'

export interface SamlTask {
  /** Names the task in TaskStarted. */
  id: number
  input: VerifyInput
}

/** The message to the pool. */
export interface TaskStarted {
  started: number
}

export async function verify({ id, input }: SamlTask): Promise<VerifyResult> {
  const message: TaskStarted = { started: id }
  parentPort?.postMessage(message)
  return verifySaml(input)
}
