// saml-auth-proxy (github.com/itzg/saml-auth-proxy), where its binary is on the PATH: set up as its page says, with the
// session of a SAML login, which it keeps in a signed cookie.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { newSigningKey } from '../../test/parts/saml-idp.js'
import { samlLogin } from './browser.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

export const samlAuthProxy: Peer = {
  name: 'saml-auth-proxy',
  key: 'saml-auth-proxy',
  program: 'saml-auth-proxy',
  identity: 'X-Agent-Email',
  async start({ folder, desk }) {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const [signing, own] = [newSigningKey(), newSigningKey('desk.example.com')]
    const file = (name: string) => join(folder, `saml-auth-proxy${name}`)
    await writeFile(file('-idp.xml'), idpMetadata([signing.certificate]))
    await writeFile(file('.key'), own.key)
    await writeFile(file('.crt'), own.certificate)
    const settings = {
      bind: `127.0.0.1:${port}`,
      'base-url': origin,
      'backend-url': `http://127.0.0.1:${desk.agentPort}`,
      'idp-metadata-url': `file://${file('-idp.xml')}`,
      'sp-key-path': file('.key'),
      'sp-cert-path': file('.crt'),
      'name-id-format': 'email',
      'name-id-mapping': 'X-Agent-Email',
    }
    const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
    const program = await startProgram('saml-auth-proxy', args, { port, cores: gatewayCore })
    const cookie = await samlLogin({ origin, acs: '/saml/acs', metadata: '/saml/metadata', signing })
    return { port, headers: { cookie }, pids: [program.pid], stop: program.stop }
  },
}
