// npm run release: image, chart and SBOM of the commit that is checked out, into the folder release; with --registry it
// pushes image and chart, too. Everything that can be refused is asked before anything is built, and a tag that exists is
// never replaced. docs/release.md describes it.

import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { buildArgs, buildEnv, findEngine, settleImage } from '../image/build.mjs'
import { find } from '../parts.mjs'
import { copyChart, writeSbom } from './artefacts.mjs'
import { readCheckout } from './checkout.mjs'
import { digestOf, isLoopback, mustAnswer, parseReference, RegistryError } from './registry.mjs'

const usage = `usage: npm run release -- [--registry HOST/PATH] [--base IMAGE] [--engine docker|podman]
                          [--build-option OPTION]… [--plain-http] [--dry-run]`
const options = {
  registry: { type: 'string' },
  base: { type: 'string' },
  engine: { type: 'string' },
  'build-option': { type: 'string', multiple: true, default: [] },
  'plain-http': { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
}
const out = 'release'

/** What the person who releases has to see to; a line each. */
class Refused extends Error {
  constructor(lines, code = 1) {
    super(lines.join('\n'))
    this.code = code
  }
}

const print = line => process.stdout.write(`${line}\n`)
const shown = words => words.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')

function readArguments() {
  try {
    const { values } = parseArgs({ options })
    if (values.registry !== undefined) values.registry = values.registry.replace(/\/+$/, '')
    if (values.engine !== undefined && !['docker', 'podman'].includes(values.engine)) {
      throw new Error(`--engine is docker or podman, not ${values.engine}`)
    }
    return values
  } catch (error) {
    throw new Refused([error.message, usage], 2)
  }
}

/** Everything that can be refused without a registry. */
function prepare(values) {
  const checkout = readCheckout(process.cwd())
  const dry = values['dry-run']
  const engine = dry && values.engine ? values.engine : findEngine(values.engine)
  const helm = dry ? 'helm' : find('helm')
  const problems = [
    ...checkout.problems,
    ...(engine ? [] : [`no container engine answers: ${values.engine ?? 'docker or podman'} is needed`]),
    ...(helm ? [] : ['helm is not installed: set HELM to the path of a Helm 4']),
  ]
  if (problems.length > 0) throw new Refused(problems)
  return { ...checkout, engine, helm }
}

/** The digest of the base, and that both tags are free. */
async function askRegistries({ values, names, base }) {
  const given = parseReference(base).digest
  const baseDigest = given ?? (await digestOf(base, {}))
  if (!baseDigest) throw new Refused([`the base ${base} does not exist at its registry`])
  if (values.registry === undefined) return baseDigest
  const asked = { plainHttp: values['plain-http'] }
  await mustAnswer(parseReference(names.image).host, asked)
  for (const name of [names.image, names.chart]) {
    const found = await digestOf(name, asked)
    if (found)
      throw new Refused([
        `${name} exists (${found}): raise the version in package.json and Chart.yaml; it is not replaced`,
      ])
  }
  return baseDigest
}

function createRunner({ dry }) {
  return (program, args, { env = process.env, quiet = false } = {}) => {
    if (!quiet) print(`$ ${shown([program, ...args])}`)
    if (dry) return ''
    const stdio = ['ignore', quiet ? 'pipe' : 'inherit', 'inherit']
    const { status, error, stdout } = spawnSync(program, args, { env, stdio, encoding: 'utf8' })
    if (status !== 0) throw new Refused([`${program} ${args[0]} failed: ${error?.message ?? `exit ${status}`}`])
    return stdout ?? ''
  }
}

function build({ values, run, names, engine, about, revision, epoch, base, baseDigest, dry }) {
  const plain = engine === 'podman' && isLoopback(parseReference(base).host) ? ['--tls-verify=false'] : []
  const more = [...values['build-option'], ...plain]
  run(engine, buildArgs({ engine, about, revision, epoch, base, baseDigest, tag: names.image, more }), {
    env: buildEnv,
  })
  if (engine === 'podman' && !dry) settleImage(names.image, args => run(engine, args, { quiet: true }))
}

/** The image first: a chart whose image is not there would be installed in vain. */
function push({ values, run, names, engine, helm, packed }) {
  const plain = values['plain-http'] || isLoopback(parseReference(names.image).host)
  const left = ['push', packed, `oci://${values.registry}/charts`, ...(plain ? ['--plain-http'] : [])]
  run(engine, ['push', ...(plain && engine === 'podman' ? ['--tls-verify=false'] : []), names.image])
  try {
    run(helm, left)
  } catch (error) {
    throw new Refused([
      error.message,
      `the image is pushed, the chart is not; what is left: ${shown(['helm', ...left])}`,
    ])
  }
}

async function main() {
  const values = readArguments()
  const dry = values['dry-run']
  const prepared = prepare(values)
  const { about, chartVersion } = prepared
  const base = values.base ?? prepared.base
  const at = values.registry === undefined ? '' : `${values.registry}/`
  const names = { image: `${at}deskgate:${about.version}`, chart: `${at}charts/deskgate:${chartVersion}` }
  const baseDigest = await askRegistries({ values, names, base })
  const run = createRunner({ dry })
  const release = {
    ...prepared,
    values,
    run,
    names,
    base,
    baseDigest,
    dry,
    packed: `${out}/deskgate-${chartVersion}.tgz`,
  }

  if (!dry) {
    rmSync(out, { recursive: true, force: true })
    mkdirSync(out)
  }
  build(release)
  const sbom = writeSbom(release, out)
  const chart = copyChart(release, out)
  run(release.helm, ['package', chart, '--destination', out])
  if (!dry) rmSync(chart, { recursive: true, force: true })
  if (values.registry !== undefined) push(release)

  const digest = async name => (dry || !at ? '' : `@${await digestOf(name, { plainHttp: values['plain-http'] })}`)
  print(dry ? 'dry run: nothing was built, written or pushed' : '')
  print(`base   ${base.replace(/@.*/, '')}@${baseDigest}`)
  print(`image  ${names.image}${await digest(names.image)}`)
  print(`chart  ${at ? `oci://${names.chart}${await digest(names.chart)}` : release.packed}`)
  print(`sbom   ${sbom}`)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Refused) && !(error instanceof RegistryError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code ?? 1
}
