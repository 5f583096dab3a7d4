// Apache with mod_auth_mellon and with mod_auth_openidc (Debian: apache2-bin, libapache2-mod-auth-mellon,
// libapache2-mod-auth-openidc), with the session of a real login.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { newSigningKey } from '../../test/parts/saml-idp.js'
import { oidcLogin, samlLogin, startOidcProvider } from './logins.js'
import { gatewayCore } from './machine.js'
import { type Peer, startProgram } from './peer.js'
import { rates } from './run.js'

/** What the gateway needs. */
const needed = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http']
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

/** With the modules that Debian enables, its limits of time, and what the manual of the module says. */
const asItComes: Setup = {
  modules: [...needed, ...enabled],
  lines: `Timeout 300
KeepAliveTimeout 5
RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500
TypesConfig /dev/null`,
  pool: '',
}

/** As somebody would who wants it fast: no module that is not needed, connections to Desk told to stay. */
const tuned: Setup = {
  modules: needed,
  lines: `KeepAliveTimeout 75
HostnameLookups Off
LimitRequestBody 0`,
  pool: ' enablereuse=On keepalive=On max=128',
}

interface Kind {
  module: string
  /** Its own paths. */
  prefix: string
  /** Gives the lines of its configuration, and the login. */
  prepare(at: { folder: string; origin: string }): Promise<{ lines: string; logIn(): Promise<string>; stop(): void }>
}

const saml: Kind = {
  module: 'auth_mellon',
  prefix: '/mellon',
  async prepare({ folder, origin }) {
    const [signing, gateway] = [newSigningKey(), newSigningKey('desk.example.com')]
    await writeFile(join(folder, 'idp.xml'), idpMetadata([signing.certificate]))
    await writeFile(join(folder, 'sp.key'), gateway.key)
    await writeFile(join(folder, 'sp.crt'), gateway.certificate)
    // The session is the first that the module finds in its table, which it searches from the beginning.
    const lines = `MellonLockFile ${folder}/mellon.lock
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
</Location>`
    const paths = { acs: '/mellon/postResponse', metadata: '/mellon/metadata' }
    return { lines, logIn: () => samlLogin({ origin, ...paths, signing }), stop() {} }
  },
}

const oidc: Kind = {
  module: 'auth_openidc',
  prefix: '/oidc',
  async prepare({ origin }) {
    const { issuer, stop } = await startOidcProvider()
    const lines = `OIDCProviderIssuer ${issuer}
OIDCProviderAuthorizationEndpoint ${issuer}/login
OIDCProviderTokenEndpoint ${issuer}/token
OIDCProviderJwksUri ${issuer}/keys
OIDCSSLValidateServer Off
OIDCClientID desk
OIDCClientSecret measured
OIDCRedirectURI ${origin}/oidc/callback
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCRemoteUserClaim email
<Location />
  AuthType openid-connect
  Require valid-user
  RequestHeader set X-Agent-Email %{OIDC_CLAIM_email}e
</Location>`
    return { lines, logIn: () => oidcLogin(`${origin}/small`, `${origin}/oidc/callback`), stop }
  },
}

const one = { program: 'apache2', identity: 'X-Agent-Email' } as const
export const mellon: Peer = {
  ...one,
  name: 'Apache + mod_auth_mellon',
  key: 'mellon',
  takes: ['saturation', 'rate2000'],
  start: startApache(saml, asItComes, 'mellon'),
}
export const mellonTuned: Peer = {
  ...one,
  name: 'Apache + mod_auth_mellon, tuned',
  key: 'mellon-tuned',
  takes: [...rates, 'medium'],
  start: startApache(saml, tuned, 'mellon-tuned'),
}
export const openidc: Peer = {
  ...one,
  name: 'Apache + mod_auth_openidc, tuned',
  key: 'openidc',
  takes: rates,
  start: startApache(oidc, tuned, 'openidc'),
}

/** One process with a thread for each connection, which stays open for as long as a client wants it; no log of requests. */
function startApache({ module, prefix, prepare }: Kind, { modules, lines, pool }: Setup, key: string): Peer['start'] {
  return async ({ folder, desk }) => {
    const own = join(folder, key)
    await mkdir(own, { recursive: true })
    const port = await freePort()
    const kind = await prepare({ folder: own, origin: `http://127.0.0.1:${port}` })
    const loaded = [...modules, module].map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
    const text = `ServerName 127.0.0.1
ServerRoot ${own}
PidFile ${own}/apache.pid
Listen 127.0.0.1:${port}
ErrorLog ${own}/apache.log
User www-data
Group www-data
${loaded.join('\n')}
ThreadLimit 128
StartServers 1
ServerLimit 1
ThreadsPerChild 128
MaxRequestWorkers 128
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
${lines}
<Directory />
  AllowOverride None
</Directory>
${kind.lines}
ProxyPass ${prefix} !
ProxyPass / http://127.0.0.1:${desk.agentPort}/ ttl=60${pool}
`
    const file = join(own, 'apache.conf')
    await writeFile(file, text)
    const program = await startProgram('apache2', ['-D', 'FOREGROUND', '-f', file], { port, cores: gatewayCore })
    const stop = async () => {
      await program.stop()
      kind.stop()
    }
    return { port, headers: { cookie: await kind.logIn() }, pids: [program.pid], stop }
  }
}
