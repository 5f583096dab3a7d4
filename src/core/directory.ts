// An agent, and the contract of what knows the agents. Types only.

/** A person who works in Desk, as the directory knows them. */
export interface Agent {
  email: string
  id?: string
  name?: string
  roles: string[]
  /** See Identity: of the login alone, as no directory states them. */
  attributes?: Record<string, string[]>
}

/** What a directory source states of an agent. What it leaves out (an empty list counts as stated) the IdP's claims may fill in: see directory/directory.ts. */
export interface AgentRecord {
  email: string
  id?: string
  name?: string
  roles?: string[]
}

/** What is known of an e-mail address at a time. */
export interface KnownState {
  found: AgentRecord | 'unknown' | 'disabled'
  /** Milliseconds since the epoch: what has happened since is not in it. */
  at: number
}

export interface Directory {
  /** `email` in its canonical form. Throws DirectoryUnavailable (core/errors.ts) when a source that comes first cannot answer. */
  find(email: string): Promise<AgentRecord | 'unknown' | 'disabled'>
  /** The same, with the source that says so; none for an address that no source knows. */
  locate?(email: string): Promise<{ source?: string; found: AgentRecord | 'unknown' | 'disabled' }>
  /** The sources in their order, by the names that the log and the metrics give them. */
  sources?(): string[]
  /** Every address that a source lists. Sources without a list (domains, any, look-ups) name nobody. */
  emails?(): string[]
  /**
   * For sessions under way: the last known state of an agent, however old; undefined when there is none. A promise only where a
   * source has to be asked for each. Never throws or rejects.
   */
  knownState?(email: string): KnownState | undefined | Promise<KnownState | undefined>
  /** Called with the addresses of which a source says something else than before. */
  onChange?(listener: (emails: readonly string[]) => void): void
  /** Milliseconds after which the state of live agents has to be asked for again, because the source does not report changes. */
  readonly askEvery?: number | undefined
  /**
   * Prepares the next versions of the files among its sources, each by its path. Nothing changes until the returned function
   * is called. Rejects when one cannot be used.
   */
  prepareFiles?(files: readonly { path: string; text: string }[]): Promise<() => void>
  /** Settles once what is fetched at the start has come or failed. Never rejects. */
  ready?(): Promise<void>
  /** Ends what runs in the background. */
  close?(): void
}

/** One source of agents. All but `find` as in Directory. */
export interface DirectorySource extends Omit<Directory, 'find' | 'locate' | 'emails' | 'sources'> {
  /** For log messages: `file agents.yaml`. */
  readonly name: string
  /**
   * `email` in its canonical form. `unknown`: the next source is asked. Throws DirectoryUnavailable when it cannot answer;
   * any other error counts as that too.
   */
  find(email: string): Promise<AgentRecord | 'unknown' | 'disabled'>
  /** The addresses that it lists, with those of inactive agents; only where it has a list. */
  emails?(): string[]
}
