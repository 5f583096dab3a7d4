// What a release has beside its image: the chart that names that image, and the list of its packages (SBOM).

import { createHash } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'

/** A copy of the chart that names the registry of the image, so that `helm install` needs no image setting. */
export function copyChart({ values, dry }, out) {
  const [source, target] = ['helm/deskgate', `${out}/deskgate`]
  if (dry) return target
  cpSync(source, target, { recursive: true })
  if (values.registry === undefined) return target
  const [host, ...path] = values.registry.split('/')
  const file = join(target, 'values.yaml')
  const document = parseDocument(readFileSync(file, 'utf8'))
  document.setIn(['image', 'registry'], host)
  document.setIn(['image', 'repository'], [...path, 'deskgate'].join('/'))
  writeFileSync(file, document.toString({ lineWidth: 0 }))
  return target
}

/** By npm, from the lock file, without what only building needs. Time and serial number are the commit's. */
export function writeSbom({ run, about, revision, epoch, dry }, out) {
  const file = `${out}/deskgate-${about.version}.cdx.json`
  const what = ['--package-lock-only', '--omit', 'dev', '--sbom-type', 'application', '--sbom-format', 'cyclonedx']
  if (dry) run('npm', ['sbom', ...what])
  else {
    const bom = JSON.parse(run('npm', ['sbom', ...what], { quiet: true }))
    const [, a, b, c, d, e] =
      /^(.{8})(.{4})(.{3})(.{3})(.{12})/.exec(createHash('sha256').update(revision).digest('hex')) ?? []
    bom.serialNumber = `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`
    bom.metadata.timestamp = new Date(epoch * 1000).toISOString()
    // npm takes the name of the folder.
    bom.metadata.component.name = about.name
    writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`)
  }
  return file
}
