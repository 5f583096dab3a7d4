// The example's Perl verifies the assertion: what Deskgate signs is trusted, and what others sign, or was meant for others,
// is not. With Debian's own JWT library, as an operator of Request Tracker would use it.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import t from 'tap'
import { startHttpServer } from '../parts/http-server.js'
import { missingParts } from '../parts/required-parts.js'

const run = promisify(execFile)
const [issuer, audience] = ['https://desk.example.com', 'request-tracker']
const library = join(import.meta.dirname, '../../examples/request-tracker/rt')
/** Prints the e-mail address of each token that is good, and `-` for each other. */
const script = `
  my ($jwks, @tokens) = @ARGV;
  my $gate = Deskgate->new(issuer => '${issuer}', audience => '${audience}', jwks => $jwks);
  for my $token (@tokens) {
    my $claims = $gate->claims($token eq 'nothing' ? undef : $token);
    print $claims ? $claims->{email} : '-', "\\n";
  }`

t.test('the example in Perl trusts Deskgate alone', { skip: missingParts('crypt-jwt') }, async t => {
  const [mine, strange] = await Promise.all([generateKeyPair('ES256', { extractable: true }), generateKeyPair('ES256')])
  const asText = new TextEncoder().encode(await exportSPKI(mine.publicKey))
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(mine.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }],
  })
  const keys = await startHttpServer((request, response) => {
    response.writeHead(request.url === '/jwks.json' ? 200 : 500, { 'content-type': 'application/json' }).end(jwks)
  })
  t.teardown(() => keys.close())
  const judge = (path: string, tokens: string[]) =>
    run('perl', [`-I${library}`, '-MDeskgate', '-e', script, keys.url + path, ...tokens])
  const verdicts = async (path: string, tokens: string[]) => (await judge(path, tokens)).stdout.trim().split('\n')

  const now = Math.floor(Date.now() / 1000)
  const whole = { iss: issuer, aud: audience, sub: 'a@example.com', email: 'a@example.com', iat: now, exp: now + 3600 }
  const signed = (claims: JWTPayload = {}, header = {}, key: Parameters<SignJWT['sign']>[0] = mine.privateKey) =>
    new SignJWT({ ...whole, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one', ...header }).sign(key)
  const without = (claim: string) => signed({ [claim]: undefined })
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const good = await signed()
  const [head, , signature] = good.split('.')

  const refused: Record<string, string> = {
    'no assertion': 'nothing',
    'an empty one': '',
    'no JWS': 'x.y.z',
    'alg none': `${part({ alg: 'none', kid: 'one' })}.${part(whole)}.`,
    'the public key as an HMAC secret': await signed({}, { alg: 'HS256' }, asText),
    "a stranger's key under our kid": await signed({}, {}, strange.privateKey),
    "a stranger's key in the header": await signed(
      {},
      { kid: 'two', jwk: await exportJWK(strange.publicKey) },
      strange.privateKey,
    ),
    'another kid': await signed({}, { kid: 'two' }),
    'no kid': await signed({}, { kid: undefined }),
    'other claims under our signature': `${head}.${part({ ...whole, email: 'root@example.com' })}.${signature}`,
    'for another Desk': await signed({ aud: 'wiki' }),
    'for nobody': await without('aud'),
    'of another gateway': await signed({ iss: 'https://desk.example.com.evil.example' }),
    'of no gateway': await without('iss'),
    'out of time': await signed({ iat: now - 120, exp: now - 60 }),
    'without an end': await without('exp'),
    'from the future': await signed({ iat: now + 600 }),
    'without an e-mail address': await without('email'),
    'with a list of addresses': await signed({ email: ['a@example.com'] }),
    'far too long': await signed({ name: 'x'.repeat(20_000) }),
  }
  const said = await verdicts('/jwks.json', [good, ...Object.values(refused), good])
  t.equal(said.shift(), whole.email)
  t.equal(said.pop(), whole.email, 'still, after all the others')
  Object.keys(refused).forEach((name, index) => {
    t.equal(said[index], '-', name)
  })
  t.equal(said.length, Object.keys(refused).length)
  t.strictSame(keys.seen, ['/jwks.json'], 'unknown keys do not make it ask again and again')
  t.strictSame(await verdicts('/broken', [good]), ['-'], 'without keys nobody is believed')
  const { stderr } = await judge('/jwks.json', [await signed({ aud: 'wiki' }), await signed({ aud: 'wiki' })])
  t.match(stderr, /audience request-tracker are wanted: JWT: aud claim .*check failed/)
  t.equal(stderr.split('\n').length, 2, 'nobody can fill the log')
  t.match((await judge('/broken', [good])).stderr, /keys could not be read from .*\/broken: 500/)
})
