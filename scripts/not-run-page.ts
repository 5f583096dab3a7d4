// docs/not-run.md: every command of the guides that nothing here runs, made from the marks in the guides, so that the
// list is never another than the marks.

import { relative } from 'node:path'
import { type Block, blocksOf, commandsOf, guidePages, inlineCommands } from './guides.js'

/** Programs that no test has, by what they need. */
export const elsewhere: Record<string, string> = {
  docker: 'a container engine',
  helm: 'a cluster',
  hey: 'a cluster',
  kubectl: 'a cluster',
  systemctl: 'root and systemd',
}

/** These need no cluster: tests run them. */
const here = ['helm template', 'helm lint']

/** What test:cluster, test:systemd and test:image run, on a real cluster and a real host. */
const tried = [
  ...['install', 'upgrade', 'test', 'rollback', 'uninstall'].map(word => `helm ${word}`),
  ...['apply', 'delete pod', 'describe pod', 'drain', 'exec', 'get', 'logs', 'rollout restart'].map(
    word => `kubectl ${word}`,
  ),
  ...['enable', 'reload', 'restart', 'start', 'stop'].map(word => `systemctl ${word}`),
  'docker stop',
]
const startsWith = (code: string, all: readonly string[]) =>
  all.some(words => code.replace(/ --namespace \S+/, '').startsWith(words))

const head = `# What the tests do not run

<!-- Made from the marks in the guides by \`npm run generate\`. -->

The tests run the commands and load the configurations of the guides, except for those below, because these
need something that the tests do not have. The guides mark them with \`<!-- not run: needs … -->\`. What the
following scripts run is left out, too. Each needs a host of its own, and writes what it saw into its page:
\`npm run test:image\` ([a container engine](install.md#what-was-seen)), \`npm run test:systemd\`
([root and systemd](systemd.md#what-was-seen)) and \`npm run test:cluster\`
([a cluster](kubernetes.md#what-was-seen-on-a-cluster)).

The tests do not run \`npm ci\` itself, which would fetch every package again. They replace ports, addresses and
host names in a command by those of their own processes.
`

export function notRunPage(): string {
  const pages = guidePages().filter(page => page !== 'docs/not-run.md')
  const all = pages.flatMap(blocksOf)
  const ran = all.filter(({ runBy }) => runBy !== undefined).flatMap(commandsOf)
  const blocks = all.filter(block => block.needs !== undefined && !isTried(block, ran))
  const inText = pages.flatMap(page =>
    inlineCommands(page, Object.keys(elsewhere))
      .filter(code => !startsWith(code, [...here, ...tried]) && !ran.some(command => command.includes(code)))
      .map(code => `| ${linkTo(page)} | ${cell(code)} | ${elsewhere[code.split(' ')[0] ?? '']} |`),
  )
  const rows = blocks.map(block => `| ${linkTo(block.page)} | ${shown(block)} | ${block.needs} |`)
  const table = (lines: string[]) => ['| page | | it needs |', '| --- | --- | --- |', ...lines].join('\n')
  return `${head}\n## Blocks\n\n${table(rows)}\n\n## In the text\n\n${table(inText)}\n`
}

/** Each of its commands is one that is tried on a cluster. */
function isTried(block: Block, ran: readonly string[]): boolean {
  return (
    block.needs === 'a cluster' &&
    block.language === 'sh' &&
    commandsOf(block).every(command => startsWith(command, tried) || ran.includes(command))
  )
}

function shown(block: Block): string {
  const lines = ['sh', 'console'].includes(block.language) ? commandsOf(block) : commandsOf(block).slice(0, 1)
  return lines.map(line => cell(line.replace(/ +#.*$/, ''))).join('<br>')
}

function cell(code: string): string {
  return `\`${code.replaceAll('|', '\\|')}\``
}

function linkTo(page: string): string {
  return `[${page}](${relative('docs', page)})`
}
