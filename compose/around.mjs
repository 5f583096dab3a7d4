// What stands around Deskgate in compose.yaml: the demo's Desk and identity provider, each on its own port. The provider
// vouches for whomever the visitor chooses: it must never run in front of anything real.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { APP, PUBLIC_URL, IDP_URL, GATEWAY_URL, DESK_URL, SECRETS, HOST } = process.env
const { IDP_PORT = '8081', DESK_PORT = '3000' } = process.env

const demo = name => import(pathToFileURL(join(APP, 'dist/demo', `${name}.js`)).href)
const [{ createDemoDesk }, { createDemoIdp }, { people }] = await Promise.all(['desk', 'idp', 'people'].map(demo))

const secret = name => readFileSync(join(SECRETS, name), 'utf8')
const clock = { now: () => Date.now() }
const idp = createDemoIdp({
  origin: IDP_URL,
  gateway: {
    publicUrl: PUBLIC_URL,
    entityId: 'deskgate-demo',
    acsUrl: `${PUBLIC_URL}/auth/saml/acs`,
    jwtCallback: `${PUBLIC_URL}/auth/jwt/callback`,
  },
  people,
  clock,
  random: randomBytes,
  signing: { key: secret('idp.key'), certificate: secret('idp.crt') },
  jwtSecret: secret('portal'),
})
const desk = createDemoDesk({
  jwksUrl: `${GATEWAY_URL}/auth/jwks.json`,
  issuer: PUBLIC_URL,
  audience: DESK_URL,
  clock,
})

await idp.listen({ host: HOST, port: Number(IDP_PORT) })
await desk.listen({ host: HOST, port: Number(DESK_PORT) })
process.stdout.write(`identity provider: ${IDP_URL}\n`)

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await Promise.all([idp.close(), desk.close()])
    process.exit(0)
  })
}
