// Builds the image so that a commit has one digest, by docker or podman, whichever is there. All that makes two builds
// different comes from outside: the time (the commit's), the base (by its digest), the version and the revision.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const label = name => `org.opencontainers.image.${name}`

/** `docker` or `podman`: the one that is asked for, else the one that answers; undefined when none does. */
export function findEngine(wanted = process.env.CONTAINER_ENGINE) {
  const answers = name => spawnSync(name, ['info'], { stdio: 'ignore', timeout: 60_000 }).status === 0
  return (wanted ? [wanted] : ['docker', 'podman']).find(answers)
}

/** Labels that the Dockerfile cannot know: of the commit, of the base, and of what package.json has an address for. */
export function labelsOf({ about, epoch, baseDigest }) {
  const { author, homepage, repository } = about
  const by = typeof author === 'object' ? author.name : author
  const source = (typeof repository === 'object' ? repository.url : repository)?.replace(/^git\+/, '')
  const labels = {
    created: new Date(epoch * 1000).toISOString().replace('.000Z', 'Z'),
    'ref.name': about.version,
    ...(baseDigest ? { 'base.digest': baseDigest } : {}),
    ...(by ? { authors: by, vendor: by } : {}),
    ...(homepage ? { url: homepage, documentation: homepage } : {}),
    ...(source ? { source } : {}),
  }
  return Object.entries(labels).map(([name, value]) => `${label(name)}=${value}`)
}

/** The command, without its engine. `base` is a name, `baseDigest` pins it. */
export function buildArgs({ engine, about, revision, epoch, base, baseDigest, tag, more = [] }) {
  const name = base.replace(/@.*/, '')
  const args = {
    BASE: baseDigest ? `${name.replace(/:[^:/]+$/, '')}@${baseDigest}` : base,
    BASE_NAME: name,
    VERSION: about.version,
    REVISION: revision,
    SOURCE_DATE_EPOCH: epoch,
  }
  return [
    'build',
    ...(engine === 'podman' ? ['--format', 'docker', '--timestamp', String(epoch)] : []),
    ...Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
    ...labelsOf({ about, epoch, baseDigest }).flatMap(value => ['--label', value]),
    ...more,
    ...['--tag', tag, '.'],
  ]
}

/** Attestations hold the time of the build: with one of them an image has another digest each time. */
export const buildEnv = { ...process.env, BUILDX_NO_DEFAULT_ATTESTATIONS: '1' }

/**
 * What podman writes into an image of Docker's format about the build itself: names of its containers, the parents of the
 * build, its own version. Without that two builds are the same.
 */
export function settleConfig(config) {
  const { container: _, container_config: __, parent: ___, ...kept } = config
  const { Hostname: _____, Labels, ...settings } = config.config
  const { 'io.buildah.version': ______, ...labels } = Labels ?? {}
  const history = config.history.map(({ comment, ...step }) =>
    /^FROM /.test(comment ?? '') ? step : { comment, ...step },
  )
  return { ...kept, config: { ...settings, Labels: labels }, history }
}

/** Puts the settled image in the place of the one that podman has built. `run` runs podman with arguments, or throws. */
export function settleImage(tag, run) {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-image-'))
  try {
    run(['save', '--quiet', '--format', 'docker-dir', '--output', join(folder, 'image'), tag])
    const path = name => join(folder, 'image', name)
    const manifest = JSON.parse(readFileSync(path('manifest.json'), 'utf8'))
    const before = path(manifest.config.digest.slice('sha256:'.length))
    const after = JSON.stringify(settleConfig(JSON.parse(readFileSync(before, 'utf8'))))
    const sha256 = createHash('sha256').update(after).digest('hex')
    rmSync(before)
    writeFileSync(path(sha256), after)
    Object.assign(manifest.config, { digest: `sha256:${sha256}`, size: statSync(path(sha256)).size })
    writeFileSync(path('manifest.json'), JSON.stringify(manifest))
    const id = run(['pull', '--quiet', `dir:${join(folder, 'image')}`])
      .trim()
      .split('\n')
      .at(-1)
    run(['tag', id, tag])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
