// The rows of the release: into docker-registry, which is started on this host for them.

import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parse } from 'yaml'
import { sh } from '../marked-blocks.mjs'
import { find } from '../parts.mjs'
import { digestOf } from '../release/registry.mjs'
import { must, until } from '../tried.mjs'

const freePort = () =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Which program of the name is missing; undefined when all are there. */
function missing() {
  if (sh('command -v docker-registry').status !== 0) return 'docker-registry is not installed here'
  return find('helm') ? undefined : 'Helm is not installed here'
}

async function startRegistry(host) {
  const at = `127.0.0.1:${await freePort()}`
  const config = join(host.folder, 'registry.yml')
  const storage = `{ filesystem: { rootdirectory: "${host.folder}/registry" }, cache: { blobdescriptor: inmemory } }`
  writeFileSync(config, `version: 0.1\nlog: { level: error }\nstorage: ${storage}\nhttp: { addr: "${at}" }\n`)
  const registry = host.start(`exec docker-registry serve ${config}`)
  host.ends(() => registry.kill())
  await until('the registry answers', () =>
    fetch(`http://${at}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  return at
}

/** A commit of the files that are here, as a checkout of its own. */
function commit(host) {
  symlinkSync(join(process.cwd(), 'node_modules'), join(host.folder, 'another/node_modules'))
  const git = 'git -c user.name=test -c user.email=test@example.com'
  const { status, stderr } = host.run(
    `cd ../another; git init --quiet; git add --all; ${git} commit --quiet --message release`,
  )
  must(status === 0, stderr)
}

function release(host, args) {
  const more = host.buildOptions.map(option => `--build-option=${option}`).join(' ')
  return host.run(`cd ../another; HELM=${find('helm')} npm run --silent release -- ${args} ${more}`)
}

export async function released(host) {
  const reason = missing()
  if (reason) return `not seen: ${reason}`
  const at = await startRegistry(host)
  commit(host)
  const base = `${at}/node:26-slim`
  const insecure = host.engine === 'podman' ? '--tls-verify=false' : ''
  const pushed = host.run(`docker tag ${host.base} ${base}; docker push ${insecure} ${base}`)
  must(pushed.status === 0, pushed.stderr)
  host.release = `--registry ${at}/help --base ${base}`
  const dry = host.text('--dry-run', 'docs/release.md').replace('registry.example.com', at).trim()
  const tried = host.run(`cd ../another; ${dry} --base ${base}`)
  must(tried.status === 0 && tried.stdout.includes('nothing was built'), tried.stdout + tried.stderr)
  const { status, stdout, stderr } = release(host, host.release)
  must(status === 0, stderr.slice(-2000))
  const digest = await digestOf(`${at}/help/deskgate:0.1.0`)
  must(stdout.includes(`help/deskgate:0.1.0@${digest}`), stdout)
  must(await digestOf(`${at}/help/charts/deskgate:0.1.0`), 'no chart')
  const chart = host.run(`${find('helm')} show values oci://${at}/help/charts/deskgate --plain-http`).stdout
  const { image } = parse(chart)
  must(image.registry === at && image.repository === 'help/deskgate', JSON.stringify(image))
  const bom = JSON.parse(readFileSync(join(host.folder, 'another/release/deskgate-0.1.0.cdx.json'), 'utf8'))
  const run = host.run(`docker run --rm ${insecure && '--tls-verify=false'} ${at}/help/deskgate@${digest} --version`)
  must(run.stdout.trim() === '0.1.0', run.stderr)
  return `image and chart are there, the image runs by its digest, the SBOM has ${bom.components.length} packages`
}

export async function refusedReleases(host) {
  if (!host.release) return 'not seen: no release'
  const seen = []
  const refused = (what, args, words) => {
    const { status, stdout, stderr } = release(host, args)
    must(status !== 0 && words.test(stderr), `${what}: ${status} ${stdout}${stderr}`)
    must(!stdout.includes('$ '), `${what}: it has begun: ${stdout}`)
    seen.push(what)
  }
  refused('a tag that exists', host.release, /help\/deskgate:0\.1\.0 exists/)
  refused('a registry that is away', host.release.replace(/:\d+\/help/, ':9/help'), /does not answer/)
  refused('a base that does not exist', host.release.replace('26-slim', '1-none'), /does not exist at its registry/)
  writeFileSync(join(host.folder, 'another/src/left-over.ts'), '')
  refused('uncommitted changes', host.release, /uncommitted changes \(\?\? src\/left-over\.ts\)/)
  return `${seen.join(', ')}: each is said before anything is built`
}
