// Two validators of rendered objects: the schemas of Kubernetes at run time, and TypeScript's check for properties that a type
// does not have, which the schemas let pass.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute'
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Pod } from 'kubernetes-models/v1/Pod'
import { Secret } from 'kubernetes-models/v1/Secret'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import ts from 'typescript'
import type { KubeObject } from './helm.js'

const core = 'kubernetes-models'

/** By apiVersion and kind: the class that validates, and the module whose interface describes. */
const models = {
  'v1/ConfigMap': { model: ConfigMap, module: `${core}/v1/ConfigMap` },
  'v1/Pod': { model: Pod, module: `${core}/v1/Pod` },
  'v1/Secret': { model: Secret, module: `${core}/v1/Secret` },
  'v1/Service': { model: Service, module: `${core}/v1/Service` },
  'v1/ServiceAccount': { model: ServiceAccount, module: `${core}/v1/ServiceAccount` },
  'apps/v1/Deployment': { model: Deployment, module: `${core}/apps/v1/Deployment` },
  'batch/v1/Job': { model: Job, module: `${core}/batch/v1/Job` },
  'autoscaling/v2/HorizontalPodAutoscaler': {
    model: HorizontalPodAutoscaler,
    module: `${core}/autoscaling/v2/HorizontalPodAutoscaler`,
  },
  'policy/v1/PodDisruptionBudget': { model: PodDisruptionBudget, module: `${core}/policy/v1/PodDisruptionBudget` },
  'networking.k8s.io/v1/Ingress': { model: Ingress, module: `${core}/networking.k8s.io/v1/Ingress` },
  'networking.k8s.io/v1/NetworkPolicy': { model: NetworkPolicy, module: `${core}/networking.k8s.io/v1/NetworkPolicy` },
  'gateway.networking.k8s.io/v1/HTTPRoute': {
    model: HTTPRoute,
    module: '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute',
  },
  'monitoring.coreos.com/v1/ServiceMonitor': {
    model: ServiceMonitor,
    module: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor',
  },
  'monitoring.coreos.com/v1/PrometheusRule': {
    model: PrometheusRule,
    module: '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule',
  },
} as const

function modelOf({ apiVersion, kind }: KubeObject) {
  const found = Object.entries(models).find(([name]) => name === `${apiVersion}/${kind}`)?.[1]
  if (!found) throw new Error(`no model is known for ${apiVersion}/${kind}`)
  return found
}

/** What the schema of its kind says against an object; undefined when it passes. */
export function schemaProblem(object: KubeObject): string | undefined {
  const { model } = modelOf(object)
  try {
    ;new (model as unknown as new (value: unknown) => { validate(): void })(structuredClone(object)).validate()
    return undefined
  } catch (error) {
    return `${object.kind} ${object.metadata.name}: ${(error as Error).message}`
  }
}

/** What TypeScript says against objects as literals of their interfaces. Some seconds, so give it all at once. */
export async function typeProblems(all: readonly KubeObject[]): Promise<string[]> {
  // Below the project, so that the packages are found.
  const cache = join(import.meta.dirname, '../../node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'deskgate-types-'))
  const file = join(folder, 'objects.ts')
  try {
    await writeFile(file, source(all))
    const options = {
      ...{ noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022 },
      ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    }
    const program = ts.createProgram([file], options)
    return ts.getPreEmitDiagnostics(program).map(({ messageText, file: at, start = 0 }) => {
      const line = at ? at.getLineAndCharacterOfPosition(start).line : 0
      return `${at?.text.split('\n')[line]?.trim() ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function source(all: readonly KubeObject[]): string {
  const modules = [...new Set(all.map(object => modelOf(object).module))]
  const imports = modules.map(module => {
    const kind = module.slice(module.lastIndexOf('/') + 1)
    return `import type { I${kind} } from '${module}'`
  })
  const literals = all.map((object, at) => `export const o${at}: I${object.kind} = ${JSON.stringify(object, null, 2)}`)
  return [...imports, ...literals].join('\n')
}
