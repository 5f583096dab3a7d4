// `deskgate init`: what it writes passes `check` and `serve`, it asks in a terminal alone, and it writes all or nothing.

import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { init } from '../../../src/cli/commands/init.js'
import type { Io } from '../../../src/cli/io.js'
import { createFiles } from '../../../src/cli/new-files.js'
import { runDeskgate, spawnDeskgate } from '../../parts/command.js'
import { idpMetadata } from '../../parts/idp-metadata.js'
import { freePort } from '../../parts/ports.js'
import { newSigningKey } from '../../parts/saml-idp.js'

const common = { publicUrl: 'https://desk.example.com', deskUrl: 'http://127.0.0.1:9', agents: 'ana@example.com' }
const jwt = { ...common, provider: 'jwt', loginUrl: 'https://portal.example.com/login' } as const

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-init-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

async function run(file: string, given: Parameters<typeof init>[1], terminal?: Io['terminal']) {
  const [out, err]: [string[], string[]] = [[], []]
  const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
  const code = await init(file, given, terminal ? { ...io, terminal } : io)
  return { code, out: out.join('\n'), err: err.join('\n') }
}

t.test('a JWT provider with a shared secret: checked, and served', async t => {
  const folder = folderOf(t)
  const port = await freePort()
  const [publicUrl, file] = [`http://localhost:${port}`, join(folder, 'deskgate.yaml')]
  const flags = ['--public-url', publicUrl, '--desk-url', 'http://127.0.0.1:9', '--provider', 'jwt', '--agents']
  const more = ['ana@example.com, ben@example.com', '--login-url', `http://localhost:${port}/portal`]
  const { code, stdout, stderr } = await runDeskgate(['init', 'deskgate.yaml', ...flags, ...more], { folder })
  t.equal(code, 0, stderr)
  t.match(stdout, `${publicUrl}/auth/jwt/callback`)
  t.match(stdout, 'provider.secret, HS256')
  t.match(stdout, 'deskgate doctor --config deskgate.yaml')
  t.match(stdout, 'Let Desk read who the agent is: docs/desks')
  t.match(stdout, 'docs/identity-providers, "No provider at hand?"')
  t.match(stdout, 'check --config deskgate.yaml --online (publicUrl answers once the gateway and its front run)')
  t.notMatch(stdout, 'docs/fronts')
  t.notMatch(stdout, 'Not tried', 'nothing to fetch')
  const names = ['admin.token', 'agents.yaml', 'deskgate.yaml', 'gateway.secret', 'provider.secret']
  t.same(readdirSync(folder).sort(), names)
  const secrets = ['admin.token', 'gateway.secret', 'provider.secret'].map(name =>
    readFileSync(join(folder, name), 'utf8'),
  )
  t.equal(new Set(secrets).size, 3)
  for (const secret of secrets) {
    t.match(secret, /^[\w-]{64}\n$/)
    t.notMatch(stdout + stderr, secret.trim(), 'no secret is shown')
  }
  for (const name of names) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)

  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:9090', `127.0.0.1:${await freePort()}`))
  const gateway = spawnDeskgate(['serve', '--config', file])
  t.teardown(() => gateway.kill('SIGKILL'))
  let log = ''
  while (!log.includes('"listening"')) log += String((await once(gateway.stdout as NodeJS.ReadableStream, 'data'))[0])
  const stopped = await fetch(`${publicUrl}/tickets/1`)
  t.match([stopped.status, await stopped.json()], [401, { loginUrl: `${publicUrl}/auth/login` }])
})

t.test('a SAML provider by a metadata file, sessions in Redis, a proxy in front', async t => {
  const folder = folderOf(t)
  const metadata = join(folder, 'idp.xml')
  writeFileSync(metadata, idpMetadata([newSigningKey('idp.example.com', Date.now() + 9e9).certificate]))
  const store = 'redis://:a-password@127.0.0.1:9/0'
  const publicUrl = 'https://desk.example.com:8443'
  const given = { ...common, publicUrl, provider: 'saml', metadata, store, proxy: '10.0.0.0/8,::1/128' } as const
  const { code, out, err } = await run(join(folder, 'deskgate.yaml'), { ...given, name: 'Ana\'s: "company" #1' })
  t.equal(code, 0, err)
  t.match(out, `${publicUrl}/auth/saml/acs (HTTP-POST)`)
  t.match(out, /Entity ID +desk\.example\.com:8443\n/)
  const printed = await runDeskgate(['metadata', '--config', 'deskgate.yaml'], { folder })
  t.match(printed.stdout, 'entityID="desk.example.com:8443"', 'as metadata says')
  t.match(out, `${publicUrl}/auth/saml/metadata`)
  const text = readFileSync(join(folder, 'deskgate.yaml'), 'utf8')
  t.match(text, 'metadata: idp.xml', 'from the folder of the configuration')
  t.match(text, /^ {2}probes: 127\.0\.0\.1:9091$/m, 'what the health checks of docs/fronts ask')
  t.match(out, 'The proxy in front: docs/fronts')
  t.notMatch(text + out + err, 'a-password')
  t.equal(readFileSync(join(folder, 'redis.url'), 'utf8'), `${store}\n`)
})

t.test('a JWT provider with public keys has no secret, and needs an audience', async t => {
  const file = join(folderOf(t), 'deskgate.yaml')
  const jwks = 'https://portal.example.com/jwks.json'
  t.match(await run(file, { ...jwt, jwks }), { code: 2, err: '--audience is missing' })
  const { code, out, err } = await run(file, { ...jwt, jwks, audience: '42' })
  t.equal(code, 0, err)
  t.match(out, /Audience +42/)
  t.equal(err, '', 'no warning')
  t.match(out, `${jwks}: deskgate check --online tries it`)
  t.notOk(existsSync(join(file, '../provider.secret')))
})

t.test('without a terminal, what is missing or cannot be used is wrong usage', async t => {
  const file = join(folderOf(t), 'deskgate.yaml')
  const wrong: [object, RegExp][] = [
    [{ ...jwt, publicUrl: undefined }, /^--public-url is missing: /],
    [{ ...jwt, loginUrl: undefined }, /^--login-url is missing: /],
    [{ ...jwt, provider: 'oidc' }, /^--provider: saml or jwt\n--login-url does not fit/],
    [{ ...jwt, provider: 'saml' }, /^--metadata is missing: .*\n--login-url does not fit/],
    [{ ...jwt, audience: 'desk' }, /^--audience does not fit the other flags/],
    [
      { ...jwt, publicUrl: 'http://desk.example.com' },
      /^--public-url: use https; http is only for localhost and 127\.0\.0\.1/,
    ],
    [{ ...jwt, publicUrl: 'desk' }, /^--public-url: invalid origin/],
    [{ ...jwt, deskUrl: 'http://127.0.0.1:9/desk' }, /^--desk-url: invalid origin/],
    [{ ...jwt, agents: 'ana' }, /^--agents: e-mail/],
    [{ ...jwt, store: 'mysql://:a-password@h' }, /^--store: memory or a URL/],
    [{ ...jwt, name: 'ok', agents: 'none' }, /^--agents: e-mail/],
    [{ ...jwt, proxy: '10.0.0.0' }, /^--proxy: CIDRs/],
    [{ ...jwt, listen: '8080' }, /^--listen: invalid address/],
    [{ ...jwt, name: 'two\nlines' }, /^--name: one line/],
    [{ ...common, provider: 'saml', metadata: 'none.xml' }, /^--metadata: the file .*none\.xml does not exist/],
  ]
  for (const [given, message] of wrong) {
    const { code, out, err } = await run(file, given)
    t.equal(code, 2, err)
    t.match(err, message)
    t.equal(out, '')
    t.notMatch(err, 'a-password')
  }
  t.same(readdirSync(join(file, '..')), [])
})

t.test('in a terminal it asks again until an answer can be used', async t => {
  const file = join(folderOf(t), 'deskgate.yaml')
  const answers = ['https://desk.example.com/x', 'https://desk.example.com', 'http://127.0.0.1:9', 'jwt', '', 'nowhere']
  answers.push('https://portal.example.com/login', 'none', 'ana@example.com', '', 'none', '')
  const { terminal, asked } = typing(answers)
  const { code, err } = await run(file, {}, terminal)
  t.equal(code, 0, err)
  t.match(err, /^ {2}invalid origin: .*\n {2}invalid http or https URL$/)
  t.match(asked(), '[memory]')
  t.match(readFileSync(file, 'utf8'), /name: SSO\n[\s\S]*provider\.secret[\s\S]*store: memory/)
})

t.test('none is what the questions say it is, and the line on the identity is valid', async t => {
  const file = join(folderOf(t), 'deskgate.yaml')
  const { code, err } = await run(file, { ...jwt, jwks: 'none', proxy: 'none' })
  t.equal(code, 0, err)
  const text = readFileSync(file, 'utf8')
  t.match(text, /trustedProxies: \[\]\n[\s\S]*provider\.secret/)
  writeFileSync(file, text.replace('# identity:', 'identity:'))
  t.equal((await runDeskgate(['check', '--config', file])).code, 0)
})

t.test('a terminal that is closed, or Ctrl+C, writes nothing', async t => {
  const folder = folderOf(t)
  for (const end of [undefined, '\x03']) {
    const { terminal } = typing(['https://desk.example.com'], end)
    t.match(await run(join(folder, 'deskgate.yaml'), {}, terminal), { code: 1, err: 'stopped: nothing was written' })
  }
  t.same(readdirSync(folder), [])
})

t.test('nothing is overwritten, and nothing is left where one file cannot be written', async t => {
  for (const name of ['deskgate.yaml', 'agents.yaml', 'gateway.secret', 'admin.token', 'provider.secret']) {
    const folder = folderOf(t)
    if (name === 'gateway.secret') symlinkSync('/nowhere/at/all', join(folder, name))
    else writeFileSync(join(folder, name), 'mine')
    const { code, err } = await run(join(folder, 'deskgate.yaml'), jwt)
    t.equal(code, 1)
    t.match(err, new RegExp(`${name} exists, and is never overwritten`))
    t.same(readdirSync(folder), [name])
  }
  const folder = folderOf(t)
  const at = (name: string) => ({ path: join(folder, name), text: 'x' })
  t.match(createFiles([at('a'), at('b'), at('none/c'), at('d')]), [
    /none\/c cannot be created: its folder does not exist$/,
  ])
  t.match(createFiles([at('a'), at('a')]), [/a exists, and is never overwritten$/])
  t.same(readdirSync(folder), [])
})

t.test('a folder that cannot be written is named', async t => {
  const folder = folderOf(t)
  t.match(await run(join(folder, 'none/deskgate.yaml'), jwt), {
    code: 1,
    err: /its folder does not exist\nnothing was/,
  })
  t.match(await run(join(folder, '../none/deskgate.yaml'), jwt), { code: 1 })
  const root = process.geteuid?.() === 0
  if (root) process.seteuid?.(65_534)
  try {
    const target = root ? folder : '/'
    t.match(await run(join(target, 'deskgate.yaml'), jwt), {
      code: 1,
      err: /this user may not write into its folder\n/,
    })
  } finally {
    if (root) process.seteuid?.(0)
  }
  t.same(readdirSync(folder), [])
})

t.test('what check refuses is not kept', async t => {
  const folder = folderOf(t)
  const metadata = join(folder, 'page.html')
  writeFileSync(metadata, '<html>a login page</html>')
  const { code, err } = await run(join(folder, 'deskgate.yaml'), { ...common, provider: 'saml', metadata })
  t.equal(code, 1)
  t.match(err, /providers\[0\]\.metadata: [\s\S]*the files were removed again/)
  t.same(readdirSync(folder), ['page.html'])
})

/** Types one line at each question, and at the end closes the terminal or presses a key. */
function typing(lines: string[], end?: string): { terminal: NonNullable<Io['terminal']>; asked: () => string } {
  const input = new PassThrough()
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 300 })
  let asked = ''
  output.on('data', chunk => {
    asked += String(chunk)
    // Behind the question stands where the cursor goes.
    if (!/: (.\[\d+G)?$/.test(String(chunk))) return
    const line = lines.shift()
    if (line !== undefined) input.write(`${line}\n`)
    else if (end === undefined) input.end()
    else input.write(end)
  })
  return { terminal: { input, output }, asked: () => asked }
}
