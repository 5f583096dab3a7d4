// SimpleSAMLphp, a real identity provider from Debian, under PHP's own server: its configuration in a temporary folder,
// fresh keys by openssl, people with passwords. What it answers is its own affair; nothing here touches a response.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { atExit } from './at-exit.js'
import { freePort } from './ports.js'
import { missingParts, programPath } from './required-parts.js'
import { type SspCipher, writeCipher } from './simplesamlphp-ciphers.js'
import { exchange } from './user-agent.js'
import { until } from './wait-until.js'

const run = promisify(execFile)

export interface SimpleSamlPhp {
  /** Where browsers reach it: an origin. */
  url: string
  port: number
  entityId: string
  metadataUrl: string
  /** The signing certificate, PEM. */
  certificate: string
  /** Where a login begins that begins at the identity provider. */
  initiated(sp: string, relayState?: string): string
  /** Changes the metadata of the hosted IdP, from the next request on; undefined takes a setting out. */
  configure(changes: Record<string, unknown>): Promise<void>
  /** Takes a service's metadata as it is, in place of the last. */
  importSp(xml: string): Promise<void>
  /** A new signing key, for a rollover, as the files NAME.key and NAME.crt for `privatekey` and `certificate`; the certificate. */
  newKey(name: string): Promise<string>
  /** What it has logged so far. */
  log(): Promise<string>
  stop(): Promise<void>
}

/** The people who can log in there, by user name. */
export const users = {
  jane: {
    password: 'open sesame',
    attributes: {
      mail: ['jane@example.com'],
      displayName: ['Jané Dœ'],
      groups: ['agents', 'admins'],
    },
  },
  ben: { password: 'let me in', attributes: { mail: ['ben@example.com'], displayName: ['Ben'], groups: [] } },
}
export type User = keyof typeof users

const emailFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
/** The e-mail address is the NameID, as the guide says to set it up. */
export const emailAsNameId = {
  authproc: { 3: { class: 'saml:AttributeNameID', attribute: 'mail', Format: emailFormat } },
}

/** For a test's `skip`: why it cannot run here, or false. */
export const noSimpleSamlPhp = () => missingParts('php', 'simplesamlphp', 'openssl')

export interface SimpleSamlPhpOptions {
  /** The name that browsers know it by. */
  host?: string
  /** What it encrypts with; default: as it comes, which is AES-128-CBC. */
  cipher?: SspCipher
}

/** Close it in a teardown. */
export async function startSimpleSamlPhp(options: SimpleSamlPhpOptions = {}): Promise<SimpleSamlPhp> {
  const { host = '127.0.0.1', cipher } = options
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-ssp-'))
  const port = await freePort()
  const url = `http://${host}:${port}`
  const entityId = `${url}/saml2/idp/metadata.php`
  const write = (path: string, value: unknown) =>
    writeFile(join(folder, path), typeof value === 'string' ? value : JSON.stringify(value))
  const hosted: Record<string, unknown> = {
    ...{ host: '__DEFAULT__', auth: 'people', privatekey: 'idp.key', certificate: 'idp.crt' },
    ...emailAsNameId,
  }
  for (const name of ['metadata', 'cert', 'log', 'tmp', 'sessions']) await mkdir(join(folder, name))
  const certificate = await createKey(folder, 'idp')
  // PHP reads each file anew for every request, so that a test may change them while it runs.
  await write('config.php', phpOf('config', 'config.json'))
  await write('authsources.php', phpOf('config', 'authsources.json'))
  await write('metadata/saml20-idp-hosted.php', phpOf('metadata', 'hosted.json'))
  await write('config.json', settings(folder, url))
  await write('authsources.json', { people: { 0: 'exampleauth:UserPass', ...credentials() } })
  await write('metadata/hosted.json', { [entityId]: hosted })
  await write('sp.xml', noSp)
  const root = join(dirname(programPath('simplesamlphp')), '../../..')
  const prepend = cipher && (await writeCipher(folder, root, cipher))
  const child = await launch({ folder, port, root, prepend })

  return {
    ...{ url, port, entityId, metadataUrl: entityId, certificate },
    initiated(sp, relayState) {
      const asked = { spentityid: sp, ...(relayState === undefined ? {} : { RelayState: relayState }) }
      return `${url}/saml2/idp/SSOService.php?${new URLSearchParams(asked)}`
    },
    async configure(changes) {
      Object.assign(hosted, changes)
      await write('metadata/hosted.json', { [entityId]: hosted })
    },
    importSp: xml => write('sp.xml', xml),
    newKey: name => createKey(folder, name),
    log: () => readFile(join(folder, 'log/idp.log'), 'utf8').catch(() => ''),
    stop: () => stop(child, folder),
  }
}

function phpOf(variable: string, file: string): string {
  return `<?php $${variable} = json_decode(file_get_contents(__DIR__ . '/${file}'), true);\n`
}

function settings(folder: string, url: string): Record<string, unknown> {
  const at = (name: string) => `${join(folder, name)}/`
  return {
    ...{ baseurlpath: `${url}/`, 'theme.use': 'default', timezone: 'UTC', 'language.default': 'en' },
    ...{ certdir: at('cert'), loggingdir: at('log'), datadir: at('tmp'), tempdir: join(folder, 'tmp') },
    ...{ 'logging.handler': 'file', 'logging.logfile': 'idp.log', 'logging.level': 7 },
    ...{ secretsalt: 'the salt of the tests', 'auth.adminpassword': 'the admin of the tests' },
    ...{ technicalcontact_name: 'Tests', technicalcontact_email: 'tests@example.com' },
    ...{ 'enable.saml20-idp': true, 'module.enable': { exampleauth: true, core: true, saml: true } },
    ...{ 'store.type': 'phpsession', 'session.phpsession.savepath': join(folder, 'sessions') },
    // Without TLS there are no Secure cookies.
    ...{ 'session.cookie.secure': false, 'language.cookie.secure': false, 'session.cookie.samesite': null },
    ...{ 'admin.checkforupdates': false, 'authproc.idp': {}, metadatadir: at('metadata') },
    'metadata.sources': [{ type: 'flatfile' }, { type: 'xml', file: join(folder, 'sp.xml') }],
  }
}

function credentials(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(users).map(([name, { password, attributes }]) => [
      `${name}:${password}`,
      { uid: [name], ...attributes },
    ]),
  )
}

/** Some metadata there must be. */
const noSp = `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="nobody"><md:SPSSODescriptor
  protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:AssertionConsumerService index="0"
  Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://nobody.example.com/"/></md:SPSSODescriptor
></md:EntityDescriptor>`

async function createKey(folder: string, name: string): Promise<string> {
  const file = (end: string) => join(folder, 'cert', `${name}.${end}`)
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', file('key'), '-out', file('crt'), '-days', '30']
  await run(programPath('openssl'), ['req', '-x509', ...made, '-subj', `/CN=SimpleSAMLphp ${name}`])
  return readFile(file('crt'), 'utf8')
}

/** Resolves once it answers; rejects with its output when it ends before. */
async function launch(how: {
  folder: string
  port: number
  root: string
  prepend: string | undefined
}): Promise<ChildProcess> {
  const { folder, port, root, prepend } = how
  const { PATH = '' } = process.env
  const first = prepend === undefined ? [] : ['-d', `auto_prepend_file=${prepend}`]
  const child = spawn(programPath('php'), [...first, '-S', `127.0.0.1:${port}`, '-t', join(root, 'www')], {
    env: { PATH, SIMPLESAMLPHP_CONFIG_DIR: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stay = atExit(() => void child.kill('SIGKILL'))
  child.once('exit', () => stay())
  let output = ''
  child.stderr?.on('data', chunk => {
    output += chunk
  })
  const answers = () => exchange({ port }, '/saml2/idp/metadata.php', { headers: { host: `127.0.0.1:${port}` } })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`php ended: ${output}`)
    return answers().then(
      ({ status }) => status === 200,
      () => false,
    )
  }, 20_000)
  return child
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    await gone
  }
  await rm(folder, { recursive: true, force: true })
}
