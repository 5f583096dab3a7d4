// The hands of the rows: kubectl, Helm, the client in the cluster, and the values that the release has now.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sh } from '../marked-blocks.mjs'
import { must, until } from '../tried.mjs'

/** As the pages name it. */
export const release = 'deskgate'
export const name = 'deskgate'

export function createCluster({ namespace, helm: program, chart }) {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-try-'))
  const run = (command, args, input) => {
    const options = { encoding: 'utf8', input, maxBuffer: 64 * 1024 * 1024 }
    const { status, stdout, stderr, error } = spawnSync(command, args, options)
    return { status: error ? -1 : status, stdout: stdout ?? '', stderr: error ? error.message : stderr }
  }
  const tryKubectl = (args, input) => run('kubectl', ['--namespace', namespace, ...args], input)
  const kubectl = (...args) => {
    const { status, stdout, stderr } = tryKubectl(args)
    must(status === 0, `kubectl ${args.join(' ')}: ${stderr.trim()}`)
    return stdout
  }
  const json = (...args) => JSON.parse(kubectl(...args, '--output', 'json'))
  const apply = objects => {
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    const { status, stderr } = tryKubectl(['apply', '--filename', '-'], JSON.stringify(list))
    must(status === 0, stderr)
  }
  const helm = (...args) => run(program, ['--namespace', namespace, ...args])
  /** Words of a page, in a folder, in the namespace of this run where they name none. What they print. */
  const typed = (words, cwd = folder) => {
    const own = Object.entries({ kubectl: 'command kubectl', helm: `'${program}'` })
    const functions = own.map(([command, real]) => `${command}() { ${real} --namespace ${namespace} "$@"; }\n`)
    const { status, stdout, stderr } = sh(functions.join('') + words, { cwd })
    must(status === 0, `${words}: ${stderr.trim()}`)
    return stdout
  }

  /** Without waiting for the process. `output` is what it printed until it ended. */
  const start = (command, args) => {
    const child = spawn(command, args)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text
      })
    }
    const ended = new Promise(resolve => child.once('close', code => resolve({ status: code, output })))
    return { child, ended }
  }

  /** Values in a file, for Helm. */
  const valuesFile = values => {
    const file = join(folder, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    return file
  }
  const upgradeArgs = (values, { from = chart, more = [], command = 'upgrade' } = {}) => [
    ...['--namespace', namespace, command, release, from, '--values', valuesFile(values)],
    ...['--wait', '--timeout', '240s', ...more],
  ]

  const pods = () =>
    json(
      'get',
      'pods',
      '--selector',
      `app.kubernetes.io/instance=${release},app.kubernetes.io/component=gateway`,
    ).items.filter(({ metadata }) => !metadata.deletionTimestamp)
  const isReady = ({ status }) => status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  const readyPods = () => pods().filter(isReady)

  const inClient = (command, options) => [
    ...['exec', '--stdin', 'deploy/client', '--', 'node', '/script/inside.mjs', command],
    JSON.stringify(options),
  ]
  const inside = (command, options) => {
    const { status, stdout, stderr } = tryKubectl(inClient(command, options), '')
    must(status === 0, stderr)
    return JSON.parse(stdout)
  }
  const base = () => `http://${json('get', 'service', name).spec.clusterIP}:80`

  return {
    ...{
      namespace,
      folder,
      chart,
      helm,
      typed,
      kubectl,
      tryKubectl,
      json,
      apply,
      start,
      pods,
      isReady,
      readyPods,
      base,
    },
    address: service => json('get', 'service', service).spec.clusterIP,
    names: () =>
      pods()
        .map(({ metadata }) => metadata.name)
        .sort(),
    restarts: () => pods().reduce((sum, { status }) => sum + (status.containerStatuses?.[0]?.restartCount ?? 0), 0),
    whole: (count = 2, wait = 180) =>
      until(
        `${count} pods are ready`,
        () => {
          const all = pods()
          return all.length === count && all.every(isReady)
        },
        wait,
      ),

    /** Throws what Helm says. */
    upgrade(values, options) {
      const { status, stdout, stderr } = run(program, upgradeArgs(values, options))
      must(status === 0, `helm: ${stderr.trim() || stdout.trim()}`)
      return stdout
    },
    tryUpgrade: (values, options) => run(program, upgradeArgs(values, options)),
    /** The same while the rows look on. */
    startUpgrade: (values, options) => start(program, upgradeArgs(values, options)).ended,

    login: (email, secret) => inside('login', { base: base(), email, secret }),
    get: (path, headers = {}, at = base()) => inside('get', { base: at, path, headers }),
    /** What a pod says of itself. */
    ready(pod) {
      const { status, body } = inside('get', { base: `http://${pod.status.podIP}:9091`, path: '/ready', headers: {} })
      return { status, ...JSON.parse(body) }
    },
    logs: (pod, container = 'deskgate') => kubectl('logs', pod, '--container', container),
    /** Load of one session while `act` runs: the counts of its answers, by status. */
    async under(cookie, act) {
      const { child, ended } = start('kubectl', [
        '--namespace',
        namespace,
        ...inClient('load', { base: base(), cookie }),
      ])
      try {
        await new Promise(resolve => setTimeout(resolve, 2000))
        const result = await act()
        await new Promise(resolve => setTimeout(resolve, 2000))
        child.stdin.end()
        const { output } = await ended
        return { result, ...JSON.parse(output.trim().split('\n').at(-1)) }
      } finally {
        child.stdin.end()
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** All of them 200, or it throws; how many they were. */
export function allServed({ counts, bad }) {
  const { 200: served = 0, ...others } = counts
  must(Object.keys(others).length === 0 && served > 0, `${JSON.stringify(counts)}: ${bad.join(', ')}`)
  return `${served} requests, all 200`
}
