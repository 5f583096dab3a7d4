// Makes the token that logs an agent in: node sign.mjs EMAIL [NAME]
// With Node alone; jose and jsonwebtoken make the same token (see docs/jwt.md).

import { createHmac, randomUUID } from 'node:crypto'

const secret = process.env.PORTAL_SECRET ?? ''
const [email, name] = process.argv.slice(2)
if (Buffer.byteLength(secret) < 32 || !email) {
  process.stderr.write('usage: PORTAL_SECRET=(at least 32 bytes) node sign.mjs EMAIL [NAME]\n')
  process.exit(2)
}

const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = { email, name, iat: Math.floor(Date.now() / 1000), jti: randomUUID() }
const input = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
const signature = createHmac('sha256', secret).update(input).digest('base64url')
process.stdout.write(`${input}.${signature}\n`)
