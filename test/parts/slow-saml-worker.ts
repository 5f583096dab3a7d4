// A SAML thread for tests: does what it is told by the message, and everything else as the real one does.

import { parentPort } from 'node:worker_threads'
import { verify as really } from '../../src/providers/saml/signature/worker.js'

type Task = Parameters<typeof really>[0]

export async function verify(task: Task): ReturnType<typeof really> {
  const { id, input } = task
  if (input.xml === 'hang') {
    parentPort?.postMessage({ begun: id })
    for (;;);
  }
  if (input.xml === 'grow') {
    const kept: unknown[] = []
    for (;;) kept.push(new Array(10_000).fill(kept.length))
  }
  if (input.xml === 'crash') process.exit(3)
  if (input.xml.startsWith('busy ')) {
    parentPort?.postMessage({ begun: id })
    const end = performance.now() + Number(input.xml.slice('busy '.length))
    while (performance.now() < end);
    return { checks: [], reason: 'saml.signature_invalid' }
  }
  return really(task)
}
