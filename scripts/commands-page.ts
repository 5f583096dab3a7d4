// The manual page of all commands (docs/commands.md), made from what --help prints. Holds nothing that the program does
// not say itself, but for what is true of all of them.

import type { Command } from 'commander'
import { createProgram } from '../src/cli/program.js'

/** Characters of a line, whatever terminal this runs in. */
const width = 80

const head = `# Commands

<!-- Made from the program by \`npm run generate\`: change src/cli/program.ts. -->

After \`npm ci && npm run build\` the command is \`node dist/main.js\`. These pages call it \`deskgate\`, like the
package. Results go to stdout, problems and warnings to stderr.

| exit code | |
| --- | --- |
| 0 | done |
| 1 | a problem: stderr has one line for each |
| 2 | usage error |

| variable | |
| --- | --- |
| \`DESKGATE_CONFIG\` | the configuration, where \`--config\` is not given; without both: \`deskgate.yaml\` in the working folder |
| \`DESKGATE_ADMIN_TOKEN\` | the admin token, for \`sessions\`, \`access\`, \`observed\`, \`breakglass\`, \`doctor\` and \`explain REFERENCE\`; wins over \`ops.adminToken\` |
| \`DESKGATE__SESSIONS__IDLE\` and the like | a setting; see [settings from the environment](operations.md#settings-from-the-environment) |
| \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`NO_PROXY\` | for calls to providers and directories; never for Desk or Redis |
| \`NODE_EXTRA_CA_CERTS\` | a PEM file with more authorities to trust, wherever the configuration names no \`ca\` |
`

/** The whole page, Markdown. */
export function commandsPage(): string {
  const io = { env: {}, out: () => {}, err: () => {} }
  const program = createProgram({ io, version: '', done: () => {} })
  const parts = leaves(program).map(({ name, command }) => `\n## ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`)
  return head + parts.join('')
}

/** Every command that does something, with its whole name. */
export function leaves(command: Command, before = ''): { name: string; command: Command }[] {
  const name = `${before} ${command.name()}`.trim()
  if (command.commands.length === 0) return [{ name, command }]
  return command.commands.flatMap(one => leaves(one, name))
}

/** What `--help` prints. */
export function helpOf(command: Command): string {
  let text = ''
  const writeOut = (more: string) => {
    text += more
  }
  command.configureOutput({ writeOut, getOutHelpWidth: () => width, getOutHasColors: () => false })
  command.outputHelp()
  return text.trim()
}
