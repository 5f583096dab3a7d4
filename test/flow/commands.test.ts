// The commands as an operator types them: what they print, where, and how they end.

import { createPrivateKey } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { check } from '../../src/cli/commands/check.js'
import { configFile } from '../../src/cli/commands/configuration.js'
import { type ExplainOptions, explain } from '../../src/cli/commands/explain.js'
import { printMetadata } from '../../src/cli/commands/metadata.js'
import type { ExitCode, Io } from '../../src/cli/io.js'
import { systemClock } from '../../src/runtime/clock.js'
import { runDeskgate, spawnDeskgate } from '../parts/command.js'
import { loadValid } from '../parts/configuration.js'
import { startGateway, writeConfiguration } from '../parts/gateway.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const token = 'an-admin-token-that-is-long-enough-for-it'
const settings = {
  publicUrl,
  desk: { url: 'http://127.0.0.1:1' },
  providers: [idp.settings.corp, idp.settings.portal],
  agents: [{ file: 'agents.yaml' }],
}
const files = { 'idp.crt': idp.certificate, 'agents.yaml': '- { email: ada@example.com }\n' }

t.test('commands that need a configuration', async t => {
  const { folder, file } = await writeConfiguration(settings, files)
  t.teardown(() => rm(folder, { recursive: true }))
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const saml = idp.saml('ada@example.com', undefined, { before: answering }).fields.SAMLResponse ?? ''
  const { jwt = '' } = (await idp.jwt('ada@example.com')).fields
  const strange = (await idp.jwt('eve@example.com')).fields.jwt ?? ''
  const at = new Date(Date.now() + 86_400_000).toISOString()
  const [xml, base64, form, compact, posted, stranger, broken] = await Promise.all([
    put('response.xml', Buffer.from(saml, 'base64').toString()),
    put('response.b64', `${saml}\n`),
    put('response.form', new URLSearchParams({ RelayState: 'x', SAMLResponse: saml }).toString()),
    put('token.jwt', `${jwt}\n`),
    put('token.form', new URLSearchParams({ jwt, state: '' }).toString()),
    put('stranger.jwt', strange),
    put(
      'broken.yaml',
      'publicUrl: http://desk.example.com\ndesc: {}\nagents: []\nproviders:\n  - { id: A, type: jwt }\n',
    ),
  ])

  const by = async (args: string[]) => runDeskgate([...args, '--config', file])
  const refused = { code: 1, stdout: /FAIL +agent is known/, stderr: /^refused: agent\.unknown\n$/ }
  const metadata = /^<[\s\S]*entityID="desk\.example\.com"[\s\S]*\/auth\/saml\/acs"/
  const [checked, mistaken, printed, strangers, absent] = await Promise.all([
    by(['check']),
    runDeskgate(['serve', '--config', broken]),
    by(['metadata']),
    by(['explain', '--jwt', stranger]),
    by(['explain', '--jwt', join(folder, 'none')]),
  ])
  t.match(checked, { code: 0, stdout: /valid/, stderr: '' })
  t.match(mistaken, { code: 1, stdout: '', stderr: mistakes }, 'it does not start')
  t.match(printed, { code: 0, stdout: metadata })
  t.match(strangers, refused)
  t.match(absent, { code: 1, stderr: /^deskgate: ENOENT.*\n$/ }, 'one line')

  // The rest in this process: the same functions, without a start for each.
  const here = async (command: (options: { config: string }, io: Io) => Promise<ExitCode>, config = file) => {
    const [out, err]: string[][] = [[], []]
    const io = { env: {}, out: (line: string) => void out?.push(line), err: (line: string) => void err?.push(line) }
    const code = await command({ config }, io)
    return { code, stdout: out?.join('\n'), stderr: err?.join('\n') }
  }
  const explained = (options: ExplainOptions) => here((base, io) => explain(undefined, { ...base, ...options }, io))
  const accepted = { code: 0, stdout: /ok +signature[\s\S]*accepted: ada@example\.com/, stderr: '' }
  t.match(await here(check, broken), { code: 1, stdout: '', stderr: mistakes })
  t.match(await here(check, join(folder, 'none.yaml')), { code: 1, stderr: /none\.yaml:1:1 \(file\)/ })
  t.match(await here((base, io) => check({ ...base, online: true }, io)), {
    code: 1,
    stderr: /deskgate\.yaml:4:\d+ desk\.url: http:\/\/127\.0\.0\.1:1 does not answer: ECONNREFUSED \(is Desk running/,
  })
  t.equal(configFile(undefined, { DESKGATE_CONFIG: '' }), 'deskgate.yaml', 'an empty variable names no file')
  for (const provider of ['x', 'portal', 'CORP', '../x'])
    t.match(
      await here((base, io) => printMetadata({ ...base, provider }, io)),
      { code: 1, stdout: '', stderr: `no provider of type saml has the id ${provider}: --provider takes ` },
      provider,
    )
  for (const saml of [xml, base64, form]) t.match(await explained({ saml }), accepted, saml)
  for (const jwt of [compact, posted]) t.match(await explained({ jwt }), accepted, jwt)
  t.match(await explained({ saml: form, at }), { code: 1, stderr: /refused: saml\.expired/ })
  t.match(await explained({ jwt: compact, at }), { code: 1, stderr: /refused: jwt\.too_old/ })
  t.match(await explained({ jwt: compact, at: 'noon' }), { code: 2, stderr: /--at takes a time/ })
  t.match(await explained({ jwt: compact, saml: form }), { code: 2, stderr: /give exactly one/ })
})

t.test('wrong usage is 2', async t => {
  const wrong = [['nonsense'], ['serve', '--wrong'], ['explain'], ['demo', '--port', 'http']]
  const ended = await Promise.all(wrong.map(args => runDeskgate(args)))
  for (const [i, one] of ended.entries())
    t.match(one, { code: 2, stdout: '', stderr: /^error: / }, wrong[i]?.join(' ') ?? '')
})

t.test('a reader of the output that has gone is not a fault', async t => {
  const { folder } = await writeConfiguration('')
  t.teardown(() => rm(folder, { recursive: true }))
  const child = spawnDeskgate(['keys', 'generate'], { folder })
  const gone = new Promise(resolve => child.once('close', (...ended) => resolve(ended)))
  let stderr = ''
  child.stderr?.on('data', chunk => {
    stderr += chunk
  })
  child.stdout?.destroy()
  t.same([await gone, stderr], [[0, null], ''])
})

t.test('keys generate: the key signs the identity', async t => {
  const { code, stdout, stderr } = await runDeskgate(['keys', 'generate'])
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(createPrivateKey(stdout), { asymmetricKeyType: 'ec', asymmetricKeyDetails: { namedCurve: 'prime256v1' } })
  const assertion = { keys: ['identity.key'] }
  t.doesNotThrow(() =>
    loadValid({ ...settings, identity: { assertion } }, { files: { ...files, 'identity.key': stdout } }),
  )
})

t.test('explain REF asks the gateway that the configuration names', async t => {
  const ops = { listen: `127.0.0.1:${await freePort()}`, adminToken: { env: 'TOKEN' } }
  const own = { ...settings, listen: '127.0.0.1:0', ops }
  const gateway = await startGateway(own, { files, env: { TOKEN: token } })
  t.teardown(gateway.stop)
  const { path, fields } = await idp.jwt('eve@example.com')
  const { reference = '' } = await createUserAgent(publicUrl, gateway).postCrossSite(path, fields)
  const args = ['explain', reference, '--config', gateway.file]
  const told = await runDeskgate(args, { env: { TOKEN: token } })
  t.match(told, {
    code: 0,
    stdout: /FAIL +agent is known[\s\S]*seen +eve@example\.com: unknown[\s\S]*refused: agent\.unknown/,
  })
  const env = { TOKEN: token, DESKGATE_CONFIG: gateway.file }
  t.equal((await runDeskgate(['explain', reference], { env })).stdout, told.stdout, 'by its variable')
})

/** Every problem at once, each with its place. */
const mistakes =
  /broken\.yaml:1:1 publicUrl[\s\S]*broken\.yaml:2:1 desc[\s\S]*did you mean[\s\S]*broken\.yaml:3:\d+ agents[\s\S]*broken\.yaml:5/

/** As an answer to a login that somebody began. */
function answering(xml: string): string {
  const answer = ` InResponseTo="_${'A'.repeat(22)}"`
  return xml
    .replace(/(<samlp:Response [^>]*)>/, `$1${answer}>`)
    .replace(/(<saml:SubjectConfirmationData [^>]*)\/>/, `$1${answer}/>`)
}
