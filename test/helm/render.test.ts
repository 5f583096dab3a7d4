// Every example of values renders under Helm 3 and Helm 4 without network, to the same objects, which Kubernetes takes.

import { basename } from 'node:path'
import t from 'tap'
import { chart, exampleValues, helms, type KubeObject, parseObjects, runHelm, template } from '../parts/helm.js'
import { schemaProblem, typeProblems } from '../parts/kubernetes.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm', 'helm3')
const rendered: KubeObject[] = []

for (const file of skip ? [] : await exampleValues()) {
  t.test(basename(file), async t => {
    const outputs = await Promise.all(
      helms.map(async helm => {
        const lint = await runHelm(helm, ['lint', '--strict', chart, '--values', file])
        t.equal(lint.code, 0, lint.stdout + lint.stderr)
        const { code, stdout, stderr } = await template({ helm, files: [file] })
        t.equal(code, 0, stderr)
        return parseObjects(stdout)
      }),
    )
    const [four = [], three = []] = outputs
    t.strictSame(four, three, 'both Helms say the same')
    t.ok(four.some(({ kind }) => kind === 'Deployment'))
    for (const object of four) t.equal(schemaProblem(object), undefined)
    const names = four.map(({ kind, metadata: { name, namespace } }) => `${kind} ${namespace} ${name}`)
    t.equal(new Set(names).size, names.length, 'no object is there twice')
    rendered.push(...four)
  })
}

t.test('no object has a property that its type does not have', { skip }, async t => {
  t.ok(rendered.length > 50)
  t.same(await typeProblems(rendered), [])
})

t.test('the validators find mistakes', { skip }, async t => {
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'x' },
    spec: { ports: [{ port: 80 }] },
  }
  t.equal(schemaProblem(service), undefined)
  t.match(schemaProblem({ ...service, spec: { ports: [{ port: 'eighty' }] } }), /port/)
  t.match(await typeProblems([{ ...service, spec: { ports: [{ port: 80, prot: 'TCP' }] } }]), [/prot/])
})

t.test('between them the examples hold every kind of object', { skip }, async t => {
  const kinds = new Set(rendered.map(({ kind }) => kind))
  const all = ['ConfigMap', 'Deployment', 'HTTPRoute', 'HorizontalPodAutoscaler', 'Ingress', 'NetworkPolicy', 'Pod']
  for (const kind of [...all, 'PodDisruptionBudget', 'PrometheusRule', 'Service', 'ServiceAccount', 'ServiceMonitor']) {
    t.ok(kinds.has(kind), kind)
  }
})
