// Apache with mod_auth_mellon (Debian: apache2-bin, libapache2-mod-auth-mellon), with the session of a real SAML login.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { newSigningKey } from '../../test/parts/saml-idp.js'
import { samlLogin } from './browser.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

/** What the gateway needs. */
const needed = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http', 'auth_mellon']
/** What Debian enables when it installs Apache, and is not in that list. */
const enabled = (
  'access_compat alias auth_basic authn_file authz_host autoindex deflate dir env filter mime negotiation reqtimeout ' +
  'setenvif status'
).split(' ')

interface Setup {
  modules: readonly string[]
  /** Lines of its configuration. */
  lines: string
  /** Parameters of ProxyPass. */
  pool: string
}

/** With the modules that Debian enables, its limits of time, and what the manual of mod_auth_mellon says. */
const asItComes: Setup = {
  modules: [...needed, ...enabled],
  lines: `Timeout 300
KeepAliveTimeout 5
RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500
TypesConfig /etc/mime.types
TypesConfig /dev/null`,
  pool: '',
}

/** As somebody would who wants it fast: no module that is not needed, connections to Desk told to stay. */
const tuned: Setup = {
  modules: needed,
  lines: `KeepAliveTimeout 75
HostnameLookups Off
LimitRequestBody 0
MellonCacheSize 1000`,
  pool: ' enablereuse=On keepalive=On max=128',
}

export const mellon: Peer = apache({ name: 'Apache + mod_auth_mellon', key: 'mellon' }, asItComes)
export const mellonTuned: Peer = apache({ name: 'Apache + mod_auth_mellon, tuned', key: 'mellon-tuned' }, tuned)

function apache(says: Pick<Peer, 'name' | 'key'>, setup: Setup): Peer {
  return {
    ...says,
    program: 'apache2',
    identity: 'X-Agent-Email',
    async start({ folder, desk }) {
      const own = join(folder, says.key)
      await mkdir(own, { recursive: true })
      const port = await freePort()
      const [signing, gateway] = [newSigningKey(), newSigningKey('desk.example.com')]
      await writeFile(join(own, 'idp.xml'), idpMetadata([signing.certificate]))
      await writeFile(join(own, 'sp.key'), gateway.key)
      await writeFile(join(own, 'sp.crt'), gateway.certificate)
      const file = join(own, 'apache.conf')
      await writeFile(file, apacheConfiguration({ ...setup, folder: own, port, deskPort: desk.agentPort }))
      const program = await startProgram('apache2', ['-D', 'FOREGROUND', '-f', file], { port, cores: gatewayCore })
      const paths = { acs: '/mellon/postResponse', metadata: '/mellon/metadata' }
      const cookie = await samlLogin({ origin: `http://127.0.0.1:${port}`, ...paths, signing })
      return { port, headers: { cookie }, pids: [program.pid], stop: program.stop }
    },
  }
}

interface Place {
  folder: string
  port: number
  deskPort: number
}

/**
 * One process with a thread for each connection, which stays open for as long as wrk wants it; no log of requests. The
 * session is the first that mod_auth_mellon finds in its table, which it searches from the beginning; the identity goes to
 * Desk as a header.
 */
function apacheConfiguration({ modules, lines, pool, folder, port, deskPort }: Setup & Place): string {
  return `ServerName 127.0.0.1
ServerRoot ${folder}
PidFile ${folder}/apache.pid
Listen 127.0.0.1:${port}
ErrorLog ${folder}/apache.log
User www-data
Group www-data
${modules.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
ThreadLimit 128
StartServers 1
ServerLimit 1
ThreadsPerChild 128
MaxRequestWorkers 128
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
${lines}
MellonLockFile ${folder}/mellon.lock
<Directory />
  AllowOverride None
</Directory>
<Location />
  AuthType Mellon
  MellonEnable auth
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonCookieSameSite Lax
  MellonSPPrivateKeyFile ${folder}/sp.key
  MellonSPCertFile ${folder}/sp.crt
  MellonIdPMetadataFile ${folder}/idp.xml
  MellonUser NAME_ID
  Require valid-user
  RequestHeader set X-Agent-Email %{MELLON_NAME_ID}e
</Location>
ProxyPass /mellon !
ProxyPass / http://127.0.0.1:${deskPort}/ ttl=60${pool}
`
}
