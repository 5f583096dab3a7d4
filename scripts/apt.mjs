// Debian's packages for parts: whether this process may install, and the installation. It never removes a package, never
// asks, and leaves alone what is there.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** Debian and what descends from it, as root: only there anything may be installed. */
export function mayInstall() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get') || !existsSync('/etc/os-release')) return false
  return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'))
}

/** Another installation may hold the lock, on a fresh machine an automatic one: it is waited for, ten minutes at most. */
const options = ['-qq', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=600']

/** Installs what the parts need, one after the other; apt prints its errors on stderr. */
export function install(missing, print) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = args => spawnSync('apt-get', [...options, ...args], { env, stdio: ['ignore', 2, 2] })
  print(`installing ${[...new Set(missing.flatMap(part => part.packages))].join(', ')}\n`)
  apt(['update'])
  for (const part of missing) apt(['install', '--yes', '--no-remove', '--no-install-recommends', ...part.packages])
}
