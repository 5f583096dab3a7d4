export type PartName =
  | 'redis-server'
  | 'chromium'
  | 'openssl'
  | 'haproxy'
  | 'nginx'
  | 'caddy'
  | 'php'
  | 'simplesamlphp'
  | 'request-tracker'
  | 'crypt-jwt'
  | 'python'
  | 'ruby'
  | 'perl'
  | 'go'
  | 'java'
  | 'mono'
  | 'dotnet'
  | 'promtool'
  | 'prometheus'
  | 'redmine'
  | 'roundup'
  | 'trac'
  | 'django-helpdesk'
  | 'helm'
  | 'helm3'

export interface Part {
  name: PartName
  /** Names of the program, the best first. */
  programs: string[]
  /** For what is a file and no program: the folders to look in, instead of the path. */
  folders?: string[]
  /** Arguments with which the program ends well: it has the library that is needed. */
  proof?: string[]
  /** Too large to be installed by the test command, and no failure when it is missing, in CI neither. */
  optional?: boolean
  /** The environment variable that names its path. */
  variable: string
  /** Debian's packages. */
  packages: string[]
  /** For a program inside an npm package (lib/layer.zip, helm/helm): which, and the SHA-256 of the program. */
  inside?: { package: string; sha256: string }
  /** For a help desk from PyPI: the requirements of its virtual environment. */
  pip?: string[]
  /** The tests that are left out without it. */
  needed: string
  otherwise: string
}

/** Programs that come inside npm packages are unpacked to here. */
export const cache: string

export const parts: Part[]

/** The path of a part's program; undefined when it is not there. */
export function find(name: PartName, env?: NodeJS.ProcessEnv): string | undefined

/** Whether tests may go without a part, in CI too. */
export function isOptional(name: string): boolean

/** Whether a part is there. `redis` is either a redis-server or the one that REDIS_URL names. */
export function isThere(name: PartName | 'redis', env?: NodeJS.ProcessEnv): boolean
