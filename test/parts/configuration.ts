// Configurations for tests: text in memory, files and variables at hand, and what loading says as plain lines.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { posix } from 'node:path'
import { type Loaded, loadConfigText } from '../../src/config/load.js'
import { formatProblem } from '../../src/config/problems.js'
import type { Config } from '../../src/config/schema/index.js'
import { type ConfigReader, Unreadable } from '../../src/config/schema/values.js'
import { createSecret } from '../../src/core/secret.js'
import { selfSignedCertificate } from '../../src/demo/certificate.js'

export interface Environment {
  /** By path in the configuration's folder; a picture is a Buffer. */
  files?: Record<string, string | Buffer>
  env?: Record<string, string>
}

/** 2026-11-22, as the clock of the tests. */
export const today = Date.UTC(2026, 10, 22)

/** A reader whose folder is /etc/deskgate, with these files and variables and no others. */
export function readerOf({ files = {}, env = {} }: Environment): ConfigReader {
  const absolute = (path: string) => posix.resolve('/etc/deskgate', path)
  const known = new Map(Object.entries(files).map(([path, content]) => [absolute(path), content]))
  const contentOf = (path: string) => {
    const content = known.get(absolute(path))
    if (content === undefined) throw new Unreadable(`the file ${absolute(path)} does not exist`)
    return content
  }
  return {
    env(name) {
      const value = Object.hasOwn(env, name) ? env[name] : undefined
      if (value === undefined) throw new Unreadable(`the variable ${name} is not set`)
      return value
    },
    file: path => ({ path: absolute(path), text: String(contentOf(path)), madeUp: true }),
    bytes: path => ({ path: absolute(path), bytes: Buffer.from(contentOf(path)) }),
    names(path) {
      const inside = [...known.keys()].filter(name => posix.dirname(name) === absolute(path))
      if (inside.length === 0) throw new Unreadable(`the folder ${absolute(path)} does not exist`)
      return inside.map(name => posix.basename(name)).sort()
    },
    path: absolute,
    secret: createSecret,
  }
}

/** Loads YAML text, or anything else as the JSON of it. */
export function load(settings: unknown, outside: Environment = {}): Loaded {
  const text = typeof settings === 'string' ? settings : JSON.stringify(settings)
  return loadConfigText(text, { file: 'deskgate.yaml', reader: readerOf(outside), now: today })
}

/** The configuration; throws with every problem when there is none. */
export function loadValid(settings: unknown, outside: Environment = {}): Config {
  const result = load(settings, outside)
  if ('config' in result) return result.config
  throw new Error(result.problems.map(formatProblem).join('\n'))
}

/** Every problem as `check` prints it. */
export function problems(settings: unknown, outside: Environment = {}): string[] {
  const result = load(settings, outside)
  return 'config' in result ? [] : result.problems.map(formatProblem)
}

/** Every problem as `key: message`, without its place and hint. */
export function problemMessages(settings: unknown, outside: Environment = {}): string[] {
  const result = load(settings, outside)
  return 'config' in result ? [] : result.problems.map(({ key, message }) => `${key}: ${message}`)
}

export function warningMessages(settings: unknown, outside: Environment = {}): string[] {
  return load(settings, outside).warnings.map(({ key, message }) => `${key}: ${message}`)
}

/** A secret that is long enough and no other's. */
export function longSecret(name: string): string {
  return `${name}-${'0123456789abcdef'.repeat(3)}`
}

export const jwtProvider = {
  id: 'portal',
  type: 'jwt',
  name: 'Portal',
  loginUrl: 'https://portal.example.com/login',
  secrets: [longSecret('portal')],
  requireState: false,
}

export const samlProvider = {
  id: 'corp',
  type: 'saml',
  name: 'Corp',
  metadata: 'https://idp.example.com/metadata',
}

/** A small configuration that loads without a warning, with some top-level keys replaced. */
export function settings(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    publicUrl: 'https://desk.example.com',
    desk: { url: 'http://desk.internal:3000' },
    providers: [jwtProvider],
    agents: [{ domains: ['example.com'] }],
    ...changes,
  }
}

export interface Pair {
  /** PEM. */
  key: string
  certificate: string
  publicKey: string
}

/** An RSA key and its certificate; `until` in milliseconds since the epoch. */
export function rsaPair(until = today + 90 * 86_400_000): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const plan = { commonName: 'test', serial: 1, notBefore: today - 86_400_000, notAfter: until }
  const certificate = selfSignedCertificate({ ...plan, privateKey, publicKey })
  return { key: privatePem(privateKey), certificate, publicKey: publicPem(publicKey) }
}

/** A private key in PEM, of a curve. */
export function curveKey(namedCurve: 'P-256' | 'P-384'): string {
  return privatePem(generateKeyPairSync('ec', { namedCurve }).privateKey)
}

/** A certificate that carries a key of a curve. */
export function curveCertificate(namedCurve: 'P-256' | 'P-521'): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve })
  const plan = { commonName: 'curve', serial: 2, notBefore: today, notAfter: today + 90 * 86_400_000 }
  return selfSignedCertificate({ ...plan, privateKey, publicKey })
}

/** An RSA public key of 1024 bits. */
export function weakKey(): string {
  return publicPem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
}

/** An RSA private key of 1024 bits. */
export function weakPrivateKey(): string {
  return privatePem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)
}

function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
