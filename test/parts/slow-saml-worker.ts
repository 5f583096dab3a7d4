// A SAML thread for tests: obeys the commands in a message, and otherwise does as the real one does.

import { existsSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { verify as verifyForReal } from '../../src/providers/saml/signature/worker.js'

// It loads for as long as this file is there.
while (existsSync(process.env.SLOW_SAML_WORKER ?? '')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)

type Task = Parameters<typeof verifyForReal>[0]

export async function verify(task: Task): ReturnType<typeof verifyForReal> {
  const { id, input } = task
  if (input.xml === 'hang') {
    parentPort?.postMessage({ started: id })
    for (;;);
  }
  if (input.xml === 'grow') {
    const held: unknown[] = []
    for (;;) held.push(new Array(10_000).fill(held.length))
  }
  if (input.xml === 'crash') process.exit(3)
  if (input.xml.startsWith('busy ')) {
    parentPort?.postMessage({ started: id })
    const end = performance.now() + Number(input.xml.slice('busy '.length))
    while (performance.now() < end);
    return { checks: [], reason: 'saml.signature_invalid' }
  }
  return verifyForReal(task)
}
