// A container without an engine, for root on Linux: a mount namespace of its own in which the image's tree is the root, with
// the pod's volumes where it mounts them, and then the user, groups and capabilities of its security context. What it does
// not do: network and process IDs are the machine's, and there is no seccomp profile and no limit on memory or CPU.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyScripts } from '../../scripts/build.mjs'
import { parseDockerfile } from './dockerfile.js'

const project = join(import.meta.dirname, '../..')

/** What a pod says of a container. */
export interface Container {
  mounts: readonly Mount[]
  context: SecurityContext
  env: Record<string, string>
}

export interface Mount {
  from: string
  /** The path in the container. */
  to: string
}

export interface ImageTree {
  folder: string
  entrypoint: string[]
  env: Record<string, string>
  workdir: string
  /** `uid:gid` */
  user: string
  remove(): Promise<void>
}

/** Of the pod's and the container's securityContext. */
export interface SecurityContext {
  runAsUser?: number
  runAsGroup?: number
  fsGroup?: number
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  capabilities?: { drop?: string[] }
}

/** For a test's `skip`. */
export function whyNoContainers(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can lay a root file system'
  const tried = spawnSync('unshare', ['--mount', 'mount', '--bind', tmpdir(), tmpdir()], { stdio: 'ignore' })
  const tools = ['setpriv', 'chroot'].every(name => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  return tried.status === 0 && tools ? false : 'this machine does not let us mount'
}

/** What the Dockerfile's last stage holds, with the machine's own system and Node in the place of its base. */
export async function layOutImage(): Promise<ImageTree> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-root-'))
  await chmod(folder, 0o755)
  const stage = parseDockerfile(await readFile(join(project, 'Dockerfile'), 'utf8')).at(-1)
  const said = (word: string) => stage?.steps.findLast(step => step.word === word)?.rest ?? ''
  const folders = [
    'app/node_modules',
    'opt',
    'usr',
    'proc',
    'dev',
    'etc/ssl',
    'etc/deskgate/config',
    ...[1, 2, 3].map(copy => `etc/deskgate/copies/${copy}`),
    'etc/deskgate/secrets',
  ]
  for (const name of folders) await mkdir(join(folder, name), { recursive: true })
  for (const path of ['/bin', '/sbin', '/lib', '/lib64'].filter(path => existsSync(path))) {
    if (lstatSync(path).isSymbolicLink()) await symlink(readlinkSync(path), join(folder, path))
    else await mkdir(join(folder, path))
  }
  for (const name of ['opt/node', 'etc/hosts', 'etc/resolv.conf']) await writeFile(join(folder, name), '')
  await copyFile(join(project, 'package.json'), join(folder, 'app/package.json'))
  const compile = [join(project, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck']
  execFileSync(process.execPath, [...compile, '--outDir', join(folder, 'app/dist')], { cwd: project })
  copyScripts(project, join(folder, 'app/dist'))
  const env = stage?.steps.filter(({ word }) => word === 'ENV').map(({ rest }) => rest.split(/=(.*)/s).slice(0, 2))
  return {
    folder,
    entrypoint: JSON.parse(said('ENTRYPOINT')),
    env: { PATH: '/opt:/usr/bin:/bin', ...Object.fromEntries(env ?? []) },
    workdir: said('WORKDIR'),
    user: said('USER'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The machine's, for what the image has of its base and of its installation. */
function baseOf({ folder }: ImageTree): Mount[] {
  const whole = ['/bin', '/sbin', '/lib', '/lib64'].filter(
    path => existsSync(path) && !lstatSync(path).isSymbolicLink(),
  )
  const system = ['/usr', '/dev', '/proc', '/etc/ssl', '/etc/hosts', '/etc/resolv.conf', ...whole]
  return [
    ...system.filter(path => existsSync(path)).map(path => ({ from: realpathSync(path), to: path })),
    { from: process.execPath, to: '/opt/node' },
    { from: realpathSync(join(project, 'node_modules')), to: '/app/node_modules' },
  ].map(({ from, to }) => ({ from, to: join(folder, to) }))
}

/** The words that start `argv` in there with no variables but the image's and `env`, as one process that signals reach. */
export function containerCommand(
  argv: readonly string[],
  { tree, mounts, context, env }: { tree: ImageTree } & Container,
): string[] {
  const bind = ({ from, to }: Mount) => {
    const target = quoted(to)
    // What is mounted below /dev and /proc belongs to them.
    const [how, ro] = /\/(dev|proc)$/.test(to) ? ['--rbind', ''] : ['--bind', ` && mount -o remount,bind,ro ${target}`]
    return `mount ${how} ${quoted(from)} ${target}${ro}`
  }
  const root = quoted(tree.folder)
  const volumes = mounts.map(({ from, to }) => ({ from, to: join(tree.folder, to) }))
  const lines = [
    `mount --bind ${root} ${root}`,
    ...[...baseOf(tree), ...volumes].map(bind),
    ...(context.readOnlyRootFilesystem ? [`mount -o remount,bind,ro ${root}`] : []),
    `exec chroot ${root} "$@"`,
  ]
  const inside = ['/usr/bin/setpriv', ...privileges(context, tree.user), '/usr/bin/env', '-i', '-C', tree.workdir]
  const variables = Object.entries({ ...tree.env, ...env }).map(([name, value]) => `${name}=${value}`)
  return ['unshare', '--mount', 'sh', '-ec', lines.join('\n'), 'sh', ...inside, ...variables, ...argv]
}

function privileges(context: SecurityContext, user: string): string[] {
  const [uid, gid] = user.split(':')
  return [
    `--reuid=${context.runAsUser ?? uid}`,
    `--regid=${context.runAsGroup ?? gid}`,
    context.fsGroup === undefined ? '--clear-groups' : `--groups=${context.fsGroup}`,
    ...(context.allowPrivilegeEscalation === false ? ['--no-new-privs'] : []),
    ...(context.capabilities?.drop?.includes('ALL') ? ['--bounding-set=-all', '--inh-caps=-all'] : []),
  ]
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
