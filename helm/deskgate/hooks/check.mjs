// The check before an upgrade changes anything: `deskgate check` on the configuration that would be installed. CONFIG: its
// file; FILES: the secrets that it names, as JSON. A Secret that is not there yet, as when a GitOps tool makes everything in
// one go, is told; at an upgrade (STRICT) it is an error.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const { CONFIG, FILES, STRICT } = process.env
const missing = [CONFIG, ...JSON.parse(FILES)].filter(path => !existsSync(path))

if (missing.length === 0) {
  const { status, error } = spawnSync(process.execPath, ['dist/main.js', 'check', '--config', CONFIG], {
    stdio: 'inherit',
  })
  if (error) process.stderr.write(`${error.message}\n`)
  process.exitCode = status ?? 1
  if (process.exitCode !== 0) process.stderr.write('The configuration is invalid: nothing has been changed.\n')
} else if (STRICT === 'true') {
  process.stderr.write(
    `missing: ${missing.join(', ')}: no Secret or ConfigMap provides it; nothing has been changed.\n`,
  )
  process.exitCode = 1
} else {
  process.stdout.write(`not checked, because the Secret or ConfigMap is not there yet: ${missing.join(', ')}\n`)
}
