// The content of files/, made anew from the tables with the fixed keys and the fixed clock.

import { stringify } from 'yaml'
import { clock, idp, restart } from './attack.js'
import { files } from './chosen.js'

/** The response that all attacks are made from; it logs in. */
export const good = 'good.xml'
export const index = 'expected.yaml'

const words = `# What is refused, for which reason, and at which check, as of ${new Date(clock.now()).toISOString()}. Made by: npm run generate
# onlyLive: what gives it away is not in the file, but in the cookies of the browser that posts it.
`

/** File name → bytes. */
export function attackFiles(): Map<string, Buffer> {
  const made = new Map<string, Buffer>([[good, decoded(first(() => idp.message()))]])
  for (const { file, attack } of files) {
    const message = first(() => attack.message?.() ?? idp.message(attack.change))
    made.set(file, file.endsWith('.xml') ? decoded(message) : Buffer.from(`${message}\n`))
  }
  const rows = files.map(({ file, attack, check, config, seenInFile }) => {
    const { name, reason } = attack
    return { file, attack: name, reason, check, config, ...(seenInFile ? {} : { onlyLive: true }) }
  })
  return made.set(index, Buffer.from(words + stringify(rows, { lineWidth: 0 })))
}

function first<T>(make: () => T): T {
  restart()
  return make()
}

function decoded(message: string): Buffer {
  return Buffer.from(message, 'base64')
}
