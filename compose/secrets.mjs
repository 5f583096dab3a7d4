// Makes the secrets of compose.yaml where there are none yet: node secrets.mjs FOLDER. It never overwrites one. The key of
// the identity provider is among them, so that Deskgate has its certificate before the provider is there.

import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder = '.'] = process.argv.slice(2)
const { newSigningKey } = await import(pathToFileURL(join(process.env.APP, 'dist/demo/certificate.js')).href)

function keep(name, content) {
  // Readable by all, because the containers that read them are nobody in particular; the volume is theirs alone.
  if (!existsSync(join(folder, name))) writeFileSync(join(folder, name), content, { flag: 'wx', mode: 0o444 })
}

for (const name of ['ring', 'portal']) keep(name, randomBytes(48).toString('base64url'))
if (!existsSync(join(folder, 'idp.crt'))) {
  const { key, certificate } = await newSigningKey({ now: () => Date.now() })
  // Of a run that was broken off.
  rmSync(join(folder, 'idp.key'), { force: true })
  keep('idp.key', key)
  keep('idp.crt', certificate)
}
