// Apache with mod_auth_mellon (Debian: apache2-bin, libapache2-mod-auth-mellon), with the session of a real SAML login.

import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { readAuthnRequest } from '../../src/demo/authn-request.js'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { createSamlIdp, idpIssuer, newSigningKey } from '../../test/parts/saml-idp.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http', 'auth_mellon']

export const mellon: Peer = {
  name: 'Apache + mod_auth_mellon, a SAML session',
  key: 'mellon',
  async start({ folder, desk }) {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const acsUrl = `${origin}/mellon/postResponse`
    const [signing, own] = [newSigningKey(), newSigningKey('desk.example.com')]
    await writeFile(join(folder, 'mellon-idp.xml'), idpMetadata([signing.certificate]))
    await writeFile(join(folder, 'mellon.key'), own.key)
    await writeFile(join(folder, 'mellon.crt'), own.certificate)
    const file = join(folder, 'apache.conf')
    await writeFile(file, apacheConfiguration(folder, port, desk.port))
    const program = await startProgram('apache2', ['-D', 'FOREGROUND', '-f', file], { port, cores: gatewayCore })

    // The login as a browser does it: sent off, answered, posted, remembered.
    const first = await ask(`${origin}/small`, 'GET', {})
    const login = await ask(new URL(first.location, origin).href, 'GET', {})
    const test = cookieOf([...first.cookies, ...login.cookies])
    const query = new URL(login.location).searchParams
    const audience = `${origin}/mellon/metadata`
    const { id } = readAuthnRequest(query.get('SAMLRequest') ?? '', { entityId: audience, acsUrl })
    const idp = createSamlIdp({ signing, clock: systemClock, plan: { issuer: idpIssuer, acsUrl, audience } })
    const form = new URLSearchParams({
      SAMLResponse: idp.message({ plan: { nameId: 'ada@example.com', inResponseTo: id }, sign: 'assertion' }),
      RelayState: query.get('RelayState') ?? '',
    })
    const answer = await ask(acsUrl, 'POST', { cookie: test }, form.toString())
    const cookie = cookieOf(answer.cookies)
    if (cookie === '') throw new Error(`mod_auth_mellon refused the login: ${answer.status}`)
    return { port, headers: { cookie }, pids: [program.pid], stop: program.stop }
  },
}

/** One process with threads, as many as there are connections; the identity goes to Desk as a header. */
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
KeepAlive On
MaxKeepAliveRequests 0
MellonCacheSize 1000
MellonLockFile ${folder}/mellon.lock
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
ProxyPass / http://127.0.0.1:${deskPort}/ keepalive=On
`
}

interface Answer {
  status: number
  location: string
  cookies: string[]
}

function ask(url: string, method: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  const form = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...form }, agent: false }, response => {
      response.resume()
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location ?? '',
          cookies: response.headers['set-cookie'] ?? [],
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function cookieOf(lines: string[]): string {
  return lines.map(line => line.split(';', 1)[0]).join('; ')
}
