// docs/not-run.md: every command of the guides that the tests do not run, made from the marks in the guides, so that the
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

const head = `# What the tests do not run

<!-- Made from the marks in the guides by \`npm run generate\`. -->

The tests run the commands and load the configurations of the guides, except for those below, because these
need something that the tests do not have. The guides mark them with \`<!-- not run: needs … -->\`. For the
checks that need a cluster see [Kubernetes](kubernetes.md#what-only-a-cluster-can-show).

The tests do not run \`npm ci\` itself, which would fetch every package again. They replace ports, addresses and
host names in a command by those of their own processes.
`

export function notRunPage(): string {
  const pages = guidePages().filter(page => page !== 'docs/not-run.md')
  const blocks = pages.flatMap(blocksOf).filter(({ needs }) => needs !== undefined)
  const inText = pages.flatMap(page =>
    inlineCommands(page, Object.keys(elsewhere))
      .filter(code => !here.some(words => code.startsWith(words)))
      .map(code => `| ${linkTo(page)} | ${cell(code)} | ${elsewhere[code.split(' ')[0] ?? '']} |`),
  )
  const rows = blocks.map(block => `| ${linkTo(block.page)} | ${shown(block)} | ${block.needs} |`)
  const table = (lines: string[]) => ['| page | | it needs |', '| --- | --- | --- |', ...lines].join('\n')
  return `${head}\n## Blocks\n\n${table(rows)}\n\n## In the text\n\n${table(inText)}\n`
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
