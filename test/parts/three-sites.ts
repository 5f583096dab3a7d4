// Gateway, identity provider and Desk on three sites over TLS, with an own authority: a posted answer is really
// cross-site, and the browser gets the cookies of production.

import { Agent, fetch as undiciFetch } from 'undici'
import { createDemoDesk } from '../../src/demo/desk.js'
import { demoIdpPaths } from '../../src/demo/idp.js'
import { agentsFile, people } from '../../src/demo/people.js'
import { systemClock } from '../../src/runtime/clock.js'
import { type Chromium, startChromium } from './browser.js'
import { createAuthority } from './certificates.js'
import { createTestIdp } from './demo-idp.js'
import { type InProcessGateway, startInProcessGateway } from './gateway.js'
import { freePort } from './ports.js'

const names = { gateway: 'desk.acme.test', idp: 'idp.other.test', desk: 'helpdesk.inner.test' }
const here = '127.0.0.1'

export interface ThreeSites {
  /** The gateway, as browsers know it. */
  url: string
  idpUrl: string
  gateway: InProcessGateway
  /** It knows the names, and trusts the authority. */
  browser: Chromium
  close(): Promise<void>
}

/** Ask missing('chromium', 'openssl') first. */
export async function startThreeSites(): Promise<ThreeSites> {
  const authority = await createAuthority()
  const [port = 0, idpPort = 0, deskPort = 0] = [await freePort(), await freePort(), await freePort()]
  const url = `https://${names.gateway}:${port}`
  const idpUrl = `https://${names.idp}:${idpPort}`
  const deskUrl = `https://${here}:${deskPort}`
  const [front, back, idpTls] = await Promise.all([
    authority.issue([names.gateway, here]),
    authority.issue([names.desk]),
    authority.issue([names.idp]),
  ])
  const idp = createTestIdp({ origin: idpUrl, publicUrl: url, entityId: 'acme', tls: idpTls })
  const dispatcher = new Agent({ connect: { ca: authority.cert } })
  const jwksUrl = `https://${here}:${port}/auth/jwks.json`
  const fetch = async (address: string) => new Response(await (await undiciFetch(address, { dispatcher })).text())
  const desk = createDemoDesk({ jwksUrl, issuer: url, audience: deskUrl, clock: systemClock, tls: back, fetch })
  await idp.app.listen({ host: here, port: idpPort })
  await desk.listen({ host: here, port: deskPort })

  const logoutUrl = idpUrl + demoIdpPaths.logout
  const settings = {
    publicUrl: url,
    listen: `${here}:${port}`,
    tls: { cert: 'tls.crt', key: 'tls.key' },
    site: 'acme',
    desk: { url: deskUrl, tls: { ca: 'ca.pem', serverName: names.desk }, public: ['GET /assets/*'] },
    providers: [
      {
        ...{
          id: 'corp',
          type: 'saml',
          name: 'Acme',
          issuer: idpUrl,
          loginUrl: idpUrl + demoIdpPaths.samlLogin,
          logoutUrl,
        },
        ...{ certificates: ['idp.crt'], attributes: { email: 'NameID', name: 'displayName', roles: 'groups' } },
      },
      {
        ...{ id: 'portal', type: 'jwt', name: 'Portal', loginUrl: idpUrl + demoIdpPaths.jwtLogin, logoutUrl },
        ...{ secrets: [idp.jwtSecret], issuer: idpUrl, audience: url },
      },
    ],
    agents: [{ file: 'agents.yaml' }],
  }
  const gateway = await startInProcessGateway(settings, {
    files: {
      ...{ 'tls.crt': front.cert, 'tls.key': front.key, 'ca.pem': authority.cert },
      ...{ 'idp.crt': idp.signing.certificate, 'agents.yaml': agentsFile(people) },
    },
  })
  const hosts = { [names.gateway]: here, [names.idp]: here }
  const browser = await startChromium({ hosts, trust: [authority.spki] })
  return {
    ...{ url, idpUrl, gateway, browser },
    async close() {
      await browser.close()
      await Promise.all([idp.app.close(), desk.close()])
      await gateway.close()
      await dispatcher.close()
      await authority.remove()
    },
  }
}
