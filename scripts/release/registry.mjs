// Asks a registry what it has, by the API that all of them speak (OCI distribution specification), with the login that
// docker or podman keeps. It only reads.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Why a registry could not say what it was asked. The message is for whoever releases. */
export class RegistryError extends Error {}

const kinds = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** `registry.example.com:5000/help/deskgate:0.1.0` in its parts, by the rules of Docker: a host has a dot or a port. */
export function parseReference(text) {
  const [, name, tag, digest] = /^([^@]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text) ?? []
  if (name === undefined || !/^[a-z0-9]+([._:-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(name))
    throw new RegistryError(`invalid image name ${text}`)
  const [first = '', ...rest] = name.split('/')
  const isHost = rest.length > 0 && /[.:]|^localhost$/.test(first)
  const host = isHost && first !== 'docker.io' ? first : 'registry-1.docker.io'
  const path = isHost ? rest.join('/') : name
  const repository = host === 'registry-1.docker.io' && !path.includes('/') ? `library/${path}` : path
  return { host, repository, tag: tag ?? 'latest', digest }
}

/** On this machine a registry speaks HTTP, as docker and podman take it to. */
export const isLoopback = host => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host)

/** The user and password that `docker login` or `podman login` has kept for a host; undefined without one. */
export function keptLogin(host, env = process.env) {
  const files = [
    env.REGISTRY_AUTH_FILE,
    env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, 'containers/auth.json'),
    `/run/containers/${process.getuid?.()}/auth.json`,
    join(env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json'),
  ]
  const names = host === 'registry-1.docker.io' ? ['docker.io', 'https://index.docker.io/v1/'] : [host]
  for (const file of files.filter(Boolean)) {
    const kept = readJson(file)
    for (const name of names) {
      const auth = kept?.auths?.[name]?.auth
      if (auth) return auth
      const helper = kept?.credHelpers?.[name] ?? kept?.credsStore
      const asked = helper && spawnSync(`docker-credential-${helper}`, ['get'], { input: name, encoding: 'utf8' })
      if (asked?.status !== 0) continue
      const { Username, Secret } = JSON.parse(asked.stdout)
      return Buffer.from(`${Username}:${Secret}`).toString('base64')
    }
  }
  return undefined
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

async function ask(url, options) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(20_000) })
  } catch (error) {
    const why = error.cause?.code ?? error.cause?.message ?? error.message
    throw new RegistryError(`the registry does not answer at ${new URL(url).origin}: ${why}`)
  }
}

/** What to send as Authorization after a 401: the kept login itself, or a token that is got with it. */
async function authorization(answer, auth, { host, repository }) {
  const challenge = answer.headers.get('www-authenticate') ?? ''
  const basic = auth && `Basic ${auth}`
  if (!/^bearer /i.test(challenge)) return basic
  const said = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  const url = new URL(said.realm)
  // Attack: a registry that sends the password to a host of its own choice, in the clear.
  if (url.protocol !== 'https:' && !isLoopback(url.host))
    throw new RegistryError(`${host} asks for a login without TLS`)
  if (said.service) url.searchParams.set('service', said.service)
  url.searchParams.set('scope', said.scope ?? `repository:${repository}:pull`)
  const granted = await ask(url, { headers: basic ? { authorization: basic } : {} })
  if (!granted.ok) return undefined
  const { token, access_token = token } = await granted.json()
  return access_token && `Bearer ${access_token}`
}

/** The digest of what a reference names; undefined when there is nothing of that name. */
export async function digestOf(reference, { plainHttp = false, login = keptLogin } = {}) {
  const parts = parseReference(reference)
  const { host, repository, tag, digest } = parts
  const scheme = plainHttp || isLoopback(host) ? 'http' : 'https'
  const url = `${scheme}://${host}/v2/${repository}/manifests/${digest ?? tag}`
  const request = headers => ask(url, { method: 'HEAD', headers: { accept: kinds, ...headers } })
  let answer = await request({})
  if (answer.status === 401) {
    const header = await authorization(answer, login(host), parts)
    if (header) answer = await request({ authorization: header })
  }
  if (answer.status === 404) return undefined
  if ([401, 403].includes(answer.status)) {
    throw new RegistryError(
      `${host} does not let this user read ${repository}: log in with docker login or podman login`,
    )
  }
  const found = answer.headers.get('docker-content-digest')
  if (!answer.ok || !found)
    throw new RegistryError(`${host} answers ${answer.status} without a digest: it is not a registry`)
  return found
}

/** Throws unless a registry answers there, before anything is built. */
export async function mustAnswer(host, { plainHttp = false } = {}) {
  const scheme = plainHttp || isLoopback(host) ? 'http' : 'https'
  const answer = await ask(`${scheme}://${host}/v2/`, {})
  if (![200, 401].includes(answer.status))
    throw new RegistryError(`${host} answers ${answer.status} at /v2/: it is not a registry`)
}
