// Apache with mod_auth_mellon (Debian: apache2-bin, libapache2-mod-auth-mellon), with the session of a real SAML login.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { newSigningKey } from '../../test/parts/saml-idp.js'
import { samlLogin } from './browser.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http', 'auth_mellon']

export const mellon: Peer = {
  name: 'Apache + mod_auth_mellon',
  key: 'mellon',
  program: 'apache2',
  identity: 'X-Agent-Email',
  async start({ folder, desk }) {
    const port = await freePort()
    const [signing, own] = [newSigningKey(), newSigningKey('desk.example.com')]
    await writeFile(join(folder, 'mellon-idp.xml'), idpMetadata([signing.certificate]))
    await writeFile(join(folder, 'mellon.key'), own.key)
    await writeFile(join(folder, 'mellon.crt'), own.certificate)
    const file = join(folder, 'apache.conf')
    await writeFile(file, apacheConfiguration(folder, port, desk.agentPort))
    const program = await startProgram('apache2', ['-D', 'FOREGROUND', '-f', file], { port, cores: gatewayCore })
    const paths = { acs: '/mellon/postResponse', metadata: '/mellon/metadata' }
    const cookie = await samlLogin({ origin: `http://127.0.0.1:${port}`, ...paths, signing })
    return { port, headers: { cookie }, pids: [program.pid], stop: program.stop }
  },
}

/**
 * As somebody would tune it who wants it fast: no module that is not needed, no .htaccess and no log, one process with a
 * thread for each connection, connections to Desk kept and shared. The session is the first that mod_auth_mellon
 * finds in its table, which it searches from the beginning; the identity goes to Desk as a header.
 */
function apacheConfiguration(folder: string, port: number, deskPort: number): string {
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
KeepAliveTimeout 75
MaxKeepAliveRequests 0
HostnameLookups Off
LimitRequestBody 0
MellonCacheSize 1000
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
  MellonSPPrivateKeyFile ${folder}/mellon.key
  MellonSPCertFile ${folder}/mellon.crt
  MellonIdPMetadataFile ${folder}/mellon-idp.xml
  MellonUser NAME_ID
  Require valid-user
  RequestHeader set X-Agent-Email %{MELLON_NAME_ID}e
</Location>
ProxyPass /mellon !
ProxyPass / http://127.0.0.1:${deskPort}/ enablereuse=On keepalive=On max=128 ttl=60
`
}
