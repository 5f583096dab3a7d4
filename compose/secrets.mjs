// Makes the secrets of compose.yaml where there are none yet: node secrets.mjs FOLDER. It never overwrites one.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '.'] = process.argv.slice(2)

for (const name of ['ring', 'portal']) {
  try {
    // Readable by all, because the containers that read them are nobody in particular; the volume is theirs alone.
    writeFileSync(join(folder, name), randomBytes(48).toString('base64url'), { flag: 'wx', mode: 0o444 })
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
}
