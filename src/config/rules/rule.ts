// What every rule gets: the valid part of the configuration, and functions to report problems. And what several rules check.

import ipaddr from 'ipaddr.js'
import type { DeepPartial } from '../partial-config.js'
import type { Path, Problem } from '../problems.js'
import type { Config } from '../schema/index.js'

export interface Rules {
  config: DeepPartial<Config>
  /** The value as written in the file; undefined when absent. */
  written(path: Path): unknown
  /** Milliseconds since the epoch. */
  now: number
  problem(path: Path, message: string, hint?: string): void
  warning(path: Path, message: string, hint?: string): void
  /** Reports problems of another file, with their own places. */
  elsewhere(problems: Problem[]): void
}

/** Networks: each a CIDR, and none that is everybody. */
export function networkRules(
  { problem, warning }: Rules,
  path: Path,
  cidrs: readonly (string | undefined)[],
  everybody: string,
): void {
  for (const [index, cidr] of cidrs.entries()) {
    if (cidr === undefined) continue
    const place = [...path, index]
    if (!ipaddr.isValidCIDR(cidr)) problem(place, 'invalid CIDR', 'such as 10.0.0.0/8 or 192.0.2.7/32')
    else if (isEverybody(cidr)) warning(place, everybody)
  }
}

/** A valid CIDR of prefix length 0. */
export function isEverybody(cidr: string): boolean {
  return cidr.endsWith('/0')
}

/** A header name as the most lenient server reads it: CGI-like servers treat all punctuation alike. */
export function foldedHeader(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}
