// `deskgate explain --jwt`: how times are told, what is said of a good token, wrong input, and --json.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { type ExplainOptions, explain } from '../../../src/cli/commands/explain.js'
import { printMetadata } from '../../../src/cli/commands/metadata.js'

const secret = 'the-secret-of-the-portal-which-is-long-enough'
const now = Date.UTC(2026, 10, 22)
const at = new Date(now).toISOString()
const configuration = JSON.stringify({
  publicUrl: 'https://desk.example.com',
  desk: { url: 'http://127.0.0.1:9' },
  providers: [
    {
      ...{ id: 'portal', type: 'jwt', name: 'Portal', loginUrl: 'https://portal.example.com/login' },
      ...{ secrets: [secret], requireState: false },
    },
  ],
  agents: [{ domains: ['example.com'] }],
})

async function open(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-explain-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const config = join(folder, 'deskgate.yaml')
  await writeFile(config, configuration)
  const run = async (reference: string | undefined, options: ExplainOptions, command = explain) => {
    const [out, err]: [string[], string[]] = [[], []]
    const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
    const code = await command(reference, { config, ...options }, io)
    return { code, out, err, text: out.join('\n') }
  }
  /** Times in seconds from now. */
  const explained = async (times: { iat?: number; exp?: number; nbf?: number }, more: ExplainOptions = {}) => {
    const seconds = now / 1000
    const claims = Object.entries({ iat: 0, ...times }).map(([name, offset]) => [name, seconds + offset])
    const token = await new SignJWT({ email: 'ada@example.com', jti: 'one', ...Object.fromEntries(claims) })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret))
    const jwt = join(folder, 'token.jwt')
    await writeFile(jwt, token)
    return run(undefined, { jwt, at, ...more })
  }
  return { config, folder, run, explained }
}

t.test('times are told as a person says them, and the clock is named', async t => {
  const { explained } = await open(t)
  const cases: [{ iat?: number; exp?: number; nbf?: number }, string, string][] = [
    [
      { iat: -300 },
      'jwt.too_old',
      "token age 300 s, at most 240 s allowed (maxAge 180 s + clockSkew 60 s); check the provider's clock",
    ],
    [
      { iat: -240.5 },
      'jwt.too_old',
      "token age 240.5 s, at most 240 s allowed (maxAge 180 s + clockSkew 60 s); check the provider's clock",
    ],
    [
      { iat: 61 },
      'jwt.from_the_future',
      "token issued 61 s ahead, at most 60 s allowed (clockSkew); check the provider's clock",
    ],
    [
      { iat: -100, exp: -90 },
      'jwt.expired',
      "token expired 90 s ago, at most 60 s allowed (clockSkew); check the provider's clock",
    ],
    [
      { nbf: 3600 },
      'jwt.not_yet_valid',
      "token becomes valid in 3600 s, at most 60 s allowed (clockSkew); check the provider's clock",
    ],
  ]
  for (const [times, reason, sentence] of cases) {
    const { code, text, err } = await explained(times)
    t.match({ code, err }, { code: 1, err: [`refused: ${reason}`] })
    t.ok(text.includes(sentence), `${sentence} in ${text}`)
    t.notMatch(text, /from now|-\d+ s|at least -/)
    t.match(text, /change .*providers\[\]\.(?:maxAge|clockSkew)/)
  }
})

t.test('of a good token it says only what is true', async t => {
  const { explained } = await open(t)
  const { code, text } = await explained({ iat: -10, exp: 170, nbf: -10 })
  t.equal(code, 0)
  t.notMatch(text, /other characters|FAIL|check the provider's clock/)
  t.match(text, /ok +token form +three parts of base64url/)
  t.match(text, /ok +token age +10 s$/m)
  t.match(text, /ok +exp +in 170 s$/m)
  t.match(text, /ok +nbf +10 s ago$/m)
  t.match(text, /accepted: ada@example\.com/)
  for (const [times, absent] of [
    [{}, /ok +(?:exp|nbf)/],
    [{ iat: -239 }, /ok +(?:exp|nbf)/],
    [{ exp: 1 }, /ok +nbf/],
    [{ iat: 30, nbf: 30, exp: 90 }, /-\d+ s|from now/],
    [{ iat: -100, exp: -40 }, /ok +nbf|-\d+ s/],
  ] as const) {
    const one = await explained(times)
    t.equal(one.code, 0, one.text)
    t.notMatch(one.text, /other characters|FAIL|check the provider's clock/, JSON.stringify(times))
    t.notMatch(one.text, absent, JSON.stringify(times))
    t.match(one.text, /ok +token form +three parts of base64url/)
  }
})

t.test('--json: the checks in order, the reason, what to look at', async t => {
  const { explained } = await open(t)
  const refused = await explained({ iat: -300 }, { json: true })
  t.equal(refused.out.length, 1)
  t.match(JSON.parse(refused.text), {
    provider: 'portal',
    at,
    accepted: false,
    reason: 'jwt.too_old',
    setting: 'providers[].maxAge',
    hint: String,
  })
  t.match(JSON.parse(refused.text).checks.at(-1), { name: 'token age', ok: false, seen: /^token age 300 s/ })
  const good = await explained({}, { json: true })
  t.equal(good.code, 0)
  t.match(JSON.parse(good.text), {
    accepted: true,
    agent: 'ada@example.com',
    checks: [{ name: 'token size', ok: true }],
  })
})

t.test('wrong input is told in the words of the command', async t => {
  const { run, folder, config } = await open(t)
  for (const reference of ['x', 'token.jwt', '../../api', '7KQ2MXW9PA', '00000-11111', 'https://desk.example.com/x']) {
    const { code, out, err } = await run(reference, {})
    t.same({ code, out }, { code: 2, out: [] }, reference)
    t.match(err, [/invalid reference .+: copy it from the page of the refused login or from the log/])
    t.notMatch(err[0], /\/api\/|404|adminToken/)
  }
  t.match(await run('7KQ2M-XW9PA', { provider: 'portal' }), { code: 2, err: [/^error: --provider and --at need/] })
  const jwt = join(folder, 'any.jwt')
  await writeFile(jwt, 'x')
  t.match(await run(undefined, { jwt, provider: 'none' }), {
    code: 1,
    err: ['no provider has the id none: --provider takes portal'],
  })
  t.match(await run('7kq2m-xw9pa', {}), { code: 1, err: [/^ops\.adminToken is not set: /] }, 'small letters are fine')
  const err: string[] = []
  const io = { env: {}, out: () => {}, err: (line: string) => void err.push(line) }
  t.equal(await printMetadata({ config, provider: 'portal' }, io), 1)
  t.match(err, [/^no provider is of type saml: there is no SAML metadata to print$/])
})
