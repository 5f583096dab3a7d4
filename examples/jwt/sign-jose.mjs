// The same with jose, Node's usual library: node sign-jose.mjs EMAIL [NAME]

import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'

const secret = new TextEncoder().encode(process.env.PORTAL_SECRET)
const [email, name] = process.argv.slice(2)
const token = await new SignJWT({ email, name })
  .setProtectedHeader({ alg: 'HS256' })
  .setIssuedAt()
  .setJti(randomUUID())
  .sign(secret)
process.stdout.write(`${token}\n`)
