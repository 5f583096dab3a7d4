interface Build {
  engine: string
  /** package.json. */
  about: { version: string; author?: unknown; homepage?: unknown; repository?: unknown }
  /** Seconds. */
  epoch: number
  baseDigest?: string
}

export declare function labelsOf(build: Omit<Build, 'engine'>): string[]
export declare function buildArgs(
  build: Build & { revision: string; base: string; tag: string; more?: string[] },
): string[]
/** The configuration of an image in Docker's format, without what describes its build. */
export declare function settleConfig(config: object): object
