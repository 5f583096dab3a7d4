// Writes test/attack/saml/files: one broken SAML response a file, each with the reason that it is refused for, and a good
// one that they were made from. The same bytes each time: npm run generate

import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from '../test/attack/saml/attack.js'
import { attackFiles } from '../test/attack/saml/write.js'

const made = attackFiles()
for (const name of readdirSync(folder)) {
  if (/\.(xml|txt)$/.test(name) && !made.has(name)) rmSync(join(folder, name))
}
for (const [name, bytes] of made) writeFileSync(join(folder, name), bytes)
