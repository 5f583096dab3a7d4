// Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. node verify.mjs ASSERTION …
// With jose (npm install jose), which fetches the keys, remembers them, and asks again for a key that it does not know.

import { createRemoteJWKSet, jwtVerify } from 'jose'

const { JWKS_URL, ASSERTION_ISSUER, ASSERTION_AUDIENCE } = process.env
// Made once, when the program starts.
const keys = createRemoteJWKSet(new URL(JWKS_URL))

/** The claims of a good assertion; throws for every other. */
async function verify(assertion) {
  const { payload } = await jwtVerify(assertion, keys, {
    algorithms: ['ES256'],
    issuer: ASSERTION_ISSUER,
    audience: ASSERTION_AUDIENCE,
    requiredClaims: ['exp', 'iat', 'email'],
  })
  return payload
}

for (const assertion of process.argv.slice(2)) {
  const said = await verify(assertion).then(
    claims => claims.email,
    error => `refused: ${error.message}`,
  )
  process.stdout.write(`${said}\n`)
}
