// A rendered pod as far as a machine without a cluster goes: its volumes as the kubelet lays them out (dated folders, and
// symlinks that it swaps; modes and group as the pod says), and its containers' commands. What a Secret holds is the test's.

import { chmod, chown, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Mount, SecurityContext } from './container.js'
import { type KubeObject, objectOf } from './helm.js'

/** By the Secret's name, then by key. */
export type Secrets = Record<string, Record<string, string>>

export interface Container {
  /** `command` and `args`, with the image's entrypoint where there is no command. */
  argv: string[]
  env: Record<string, string>
  /** Its volumes, each with the path in the pod. */
  mounts: Mount[]
  /** The pod's, and over it its own. */
  context: SecurityContext
  /** Seconds that it has to end, preStop included. */
  grace: number
  spec: ContainerSpec
}

interface ContainerSpec {
  name: string
  command?: string[]
  args?: string[]
  env?: { name: string; value: string }[]
  ports: { name: string; containerPort: number }[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  securityContext?: SecurityContext
  lifecycle?: { preStop: { exec: { command: string[] } } }
  startupProbe?: Probe
  readinessProbe?: Probe
  livenessProbe?: Probe
}

interface Probe {
  httpGet: { path: string; port: string }
}

export interface PodLayout {
  folder: string
  /** A container, init containers included. `entrypoint`: the image's. */
  container(name: string, entrypoint: string[]): Container
  /** The URL that a probe of the container asks. */
  probe(name: string, which: 'startup' | 'readiness' | 'liveness'): string
  /** What the kubelet does when objects or Secrets have changed: the whole folder in one step. */
  swap(objects: KubeObject[], secrets: Secrets): Promise<void>
  remove(): Promise<void>
}

let folderNumber = 0

/** `pod`: they stay as they are, for a container of its own. `folder`: those of the mounts become those of this folder. */
export type MountPaths = 'pod' | 'folder'

export async function layOutPod(
  objects: KubeObject[],
  secrets: Secrets,
  paths: MountPaths = 'folder',
): Promise<PodLayout> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-pod-'))
  const pod = objectOf(objects, 'Deployment').spec.template.spec
  const containers: ContainerSpec[] = [...(pod.initContainers ?? []), ...pod.containers]
  const named = (name: string) => {
    const found = containers.find(container => container.name === name)
    if (!found) throw new Error(`the pod has no container ${name}`)
    return found
  }
  const mountPath = (volume: string) =>
    named('deskgate').volumeMounts?.find(({ name }) => name === volume)?.mountPath ?? `/${volume}`
  /** Of the pod's paths, which a test without a root of its own cannot have, those below its folder. */
  const here = (text: string) => (paths === 'pod' ? text : text.replaceAll('/etc/deskgate/', `${folder}/etc/deskgate/`))

  const swap = async (now: KubeObject[], values: Secrets) => {
    for (const volume of objectOf(now, 'Deployment').spec.template.spec.volumes) {
      const files = filesOf(volume, now, values).map(([name, text]) => [name, here(text)] as const)
      const { defaultMode = 0o644 } = volume.configMap ?? volume.projected ?? {}
      await lay(join(folder, mountPath(volume.name)), files, { mode: defaultMode, group: pod.securityContext?.fsGroup })
    }
  }
  try {
    await swap(objects, secrets)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return {
    folder,
    container(name, entrypoint) {
      const spec = named(name)
      const argv = [...(spec.command ?? entrypoint), ...(spec.args ?? [])].map(here)
      const env = Object.fromEntries((spec.env ?? []).map(({ name, value }) => [name, here(value)]))
      const mounts = (spec.volumeMounts ?? []).map(({ mountPath }) => ({
        from: join(folder, mountPath),
        to: mountPath,
      }))
      const context = { ...pod.securityContext, ...spec.securityContext }
      return { argv, env, spec, mounts, context, grace: pod.terminationGracePeriodSeconds }
    },
    probe(name, which) {
      const { ports, [`${which}Probe` as const]: probe } = named(name)
      if (!probe) throw new Error(`the container ${name} has no ${which} probe`)
      const { path, port } = probe.httpGet
      return `http://127.0.0.1:${ports.find(({ name }) => name === port)?.containerPort}${path}`
    },
    swap,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

interface Volume {
  name: string
  configMap?: { name: string; defaultMode?: number; optional?: boolean }
  projected?: { defaultMode?: number; sources: { secret: { name: string; items?: { key: string; path: string }[] } }[] }
}

function filesOf({ configMap, projected }: Volume, objects: KubeObject[], secrets: Secrets): [string, string][] {
  if (configMap) {
    const isThere = objects.some(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap.name)
    if (configMap.optional && !isThere) return []
    return Object.entries(objectOf(objects, 'ConfigMap', configMap.name).data ?? {})
  }
  return (projected?.sources ?? []).flatMap(({ secret }) => {
    const keys = secrets[secret.name]
    if (!keys) throw new Error(`there is no Secret ${secret.name}: the pod would not start`)
    const items = secret.items ?? Object.keys(keys).map(key => ({ key, path: key }))
    return items.map(({ key, path }): [string, string] => {
      const value = keys[key]
      if (value === undefined) throw new Error(`the Secret ${secret.name} has no ${key}: the pod would not start`)
      return [path, value]
    })
  })
}

/** Kubernetes' AtomicWriter: FILE → ..data/FILE, ..data → a dated folder, and ..data is swapped by a rename. */
async function lay(
  mount: string,
  files: readonly (readonly [string, string])[],
  { mode, group }: { mode: number; group: number | undefined },
): Promise<void> {
  const dated = `..2026_11_22_00_00_${String(++folderNumber).padStart(2, '0')}`
  await mkdir(join(mount, dated), { recursive: true })
  for (const [name, text] of files) {
    const file = join(mount, dated, name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    await chmod(file, mode)
    if (group !== undefined && process.getuid?.() === 0) await chown(file, 0, group)
  }
  await symlink(dated, join(mount, '..data_tmp'))
  await rename(join(mount, '..data_tmp'), join(mount, '..data'))
  for (const [name] of files) await symlink(join('..data', name), join(mount, name)).catch(() => {})
}
