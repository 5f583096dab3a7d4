// A Dockerfile without an engine: its COPY and RUN lines carried out in folders in place of the stages' file systems, and
// what its last stage says about how it starts. Knows as much of the syntax as ours uses, and throws at anything else.

import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Stage {
  from: string
  name: string | undefined
  steps: { word: string; rest: string }[]
}

export interface Image {
  /** In place of / of the last stage. */
  root: string
  workdir: string
  env: Record<string, string>
  labels: string
  user: string
  entrypoint: string[]
  cmd: string[]
  healthcheck: string[]
}

export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = []
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  for (const line of lines.map(one => one.trim()).filter(one => one !== '' && !one.startsWith('#'))) {
    const [word = ''] = line.split(' ')
    const rest = line.slice(word.length).trim()
    if (word === 'FROM') {
      const [from = '', , name] = rest.split(' ')
      stages.push({ from, name, steps: [] })
    } else stages.at(-1)?.steps.push({ word, rest })
  }
  return stages
}

/** `instead`: RUN lines that are not run, each with what is done in the working folder in its place. */
export async function buildImage(deps: {
  context: string
  folder: string
  instead?: Record<string, (workdir: string) => Promise<void>>
}): Promise<Image> {
  const stages = parseDockerfile(await readFile(join(deps.context, 'Dockerfile'), 'utf8'))
  const roots = new Map<string, string>()
  let image: Image | undefined
  for (const [at, stage] of stages.entries()) {
    const root = join(deps.folder, `stage${at}`)
    roots.set(stage.name ?? String(at), root)
    image = { root, workdir: '/', env: {}, labels: '', user: '', entrypoint: [], cmd: [], healthcheck: [] }
    for (const step of stage.steps) await carryOut(step, { image, roots, ...deps })
  }
  if (!image) throw new Error('the Dockerfile has no stage')
  return image
}

type Place = Parameters<typeof buildImage>[0] & { image: Image; roots: Map<string, string> }

async function carryOut({ word, rest }: Stage['steps'][number], place: Place): Promise<void> {
  const { image } = place
  const here = join(image.root, image.workdir)
  if (word === 'WORKDIR') {
    image.workdir = rest
    await mkdir(join(image.root, rest), { recursive: true })
  } else if (word === 'COPY') await copy(rest, place, here)
  else if (word === 'RUN') await (place.instead?.[rest]?.(here) ?? run('sh', ['-c', rest], { cwd: here }))
  else if (word === 'ENV') image.env[rest.slice(0, rest.indexOf('='))] = rest.slice(rest.indexOf('=') + 1)
  else if (word === 'LABEL') image.labels = rest
  else if (word === 'USER') image.user = rest
  else if (word === 'ENTRYPOINT') image.entrypoint = JSON.parse(rest)
  else if (word === 'CMD') image.cmd = JSON.parse(rest)
  else if (word === 'HEALTHCHECK') image.healthcheck = JSON.parse(rest.slice(rest.indexOf('CMD') + 3))
  else if (word !== 'EXPOSE' && word !== 'ARG') throw new Error(`the Dockerfile says ${word}, which is not known here`)
}

async function copy(rest: string, { context, roots, image }: Place, here: string): Promise<void> {
  const words = rest.split(/ +/)
  const stage = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined
  const source = stage === undefined ? context : roots.get(stage)
  if (source === undefined) throw new Error(`no stage is called ${stage}`)
  const target = words.pop() ?? '.'
  const to = join(target.startsWith('/') ? image.root : here, target)
  await mkdir(to, { recursive: true })
  for (const from of words) {
    const path = join(source, from)
    // Of a folder it is what is in it that is copied.
    const isFolder = (await stat(path)).isDirectory()
    await cp(path, isFolder ? to : join(to, basename(path)), {
      ...{ recursive: true, verbatimSymlinks: true, preserveTimestamps: true },
    })
  }
}

/**
 * In place of installing what a checkout has installed already: beside the working folder, where Node and npm look too, and
 * where no later `npm ci` empties it.
 */
export function linked(modules: string): (workdir: string) => Promise<void> {
  return workdir => symlink(modules, join(dirname(workdir), 'node_modules'))
}
