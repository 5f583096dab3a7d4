// The chart, rendered by a real Helm without a cluster and without network: objects, or what it says against the values.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { programPath } from './required-parts.js'

export const chart = join(import.meta.dirname, '../../helm/deskgate')

/** Both have to do the same. */
export const helms = ['helm', 'helm3'] as const
export type Helm = (typeof helms)[number]

/** What all objects have, and as much of the rest as tests reach into. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  // biome-ignore lint/suspicious/noExplicitAny: an object of any kind; the models judge its types
  spec?: any
  data?: Record<string, string>
  [key: string]: unknown
}

export interface HelmResult {
  code: number
  stdout: string
  stderr: string
}

/** The paths of ci/*-values.yaml. */
export async function exampleValues(): Promise<string[]> {
  const names = await readdir(join(chart, 'ci'))
  return names
    .filter(name => name.endsWith('-values.yaml'))
    .sort()
    .map(name => join(chart, 'ci', name))
}

/** Runs Helm with homes of its own, no cluster, and a proxy that nobody listens on. */
export async function runHelm(helm: Helm, args: string[]): Promise<HelmResult> {
  const home = await mkdtemp(join(tmpdir(), 'deskgate-helm-'))
  const nowhere = 'http://127.0.0.1:9'
  const env = {
    ...{ HOME: home, KUBECONFIG: join(home, 'none'), HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere },
    ...{ HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home },
  }
  try {
    return await new Promise(resolve => {
      execFile(programPath(helm), args, { env, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
      })
    })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

/** Values beside those of files; `only`: one template. */
export interface Rendering {
  helm?: Helm
  files?: string[]
  values?: object
  only?: string
}

/** `helm template` of the release `desk` in the namespace `help`, as it says it. */
export async function template({ helm = 'helm', files = [], values, only }: Rendering): Promise<HelmResult> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-values-'))
  try {
    const own = join(folder, 'values.yaml')
    if (values) await writeFile(own, JSON.stringify(values))
    const all = [...files, ...(values ? [own] : [])].flatMap(file => ['--values', file])
    const shown = only === undefined ? [] : ['--show-only', `templates/${only}`]
    return await runHelm(helm, ['template', 'desk', chart, '--namespace', 'help', ...all, ...shown])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The same as objects. Throws what Helm says when it refuses. */
export async function objects(rendering: Rendering): Promise<KubeObject[]> {
  const { code, stdout, stderr } = await template(rendering)
  if (code !== 0) throw new Error(stderr)
  return parseObjects(stdout)
}

export function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text)
    .map(document => {
      if (document.errors.length > 0) throw document.errors[0]
      return document.toJS() as KubeObject | null
    })
    .filter(object => object !== null)
}

/** The one of a kind and, where there are several, of a name. Throws when it is not there. */
export function objectOf(all: readonly KubeObject[], kind: string, name?: string): KubeObject {
  const found = all.filter(object => object.kind === kind && (name === undefined || object.metadata.name === name))
  const [first, second] = found
  if (!first || second) throw new Error(`${found.length} objects are a ${kind} ${name ?? ''}`)
  return first
}
