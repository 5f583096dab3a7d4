// What a release takes from the checkout: a commit without changes, its time, and one version everywhere.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

/** Reasons against a release, one line each, and what is released. */
export function readCheckout(folder) {
  const git = (...args) =>
    execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  const read = name => readFileSync(join(folder, name), 'utf8')
  const about = JSON.parse(read('package.json'))
  const problems = []
  if (!existsSync(join(folder, '.git')))
    return { about, problems: ['no git checkout here: a release is made of a commit'] }
  const changed = git('status', '--porcelain').split('\n').filter(Boolean)
  if (changed.length > 0) {
    const some = changed.slice(0, 5).map(line => line.trim())
    const more = changed.length > 5 ? ` and ${changed.length - 5} more` : ''
    problems.push(`uncommitted changes (${some.join(', ')}${more}): commit or stash them`)
  }
  const revision = git('rev-parse', 'HEAD')
  const tag = `v${about.version}`
  const tagged = git('tag', '--list', tag) && git('rev-list', '-n', '1', tag)
  if (tagged && tagged !== revision) {
    problems.push(
      `the git tag ${tag} names another commit (${tagged.slice(0, 12)}): check it out, or raise the version in package.json`,
    )
  }
  const chart = parse(read('helm/deskgate/Chart.yaml'))
  if (chart.appVersion !== about.version) {
    problems.push(
      `helm/deskgate/Chart.yaml has appVersion ${chart.appVersion}, package.json has version ${about.version}`,
    )
  }
  const [, base] = /^ARG BASE=(\S+)$/m.exec(read('Dockerfile')) ?? []
  return {
    about,
    problems,
    revision,
    epoch: Number(git('log', '-1', '--format=%ct')),
    chartVersion: chart.version,
    base,
  }
}
