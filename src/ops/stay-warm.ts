// What V8 does with a process that has had nothing to do for some seconds.

import { versions } from 'node:process'
import { setFlagsFromString } from 'node:v8'

/**
 * A quiet process stays compiled. V8 uses eight quiet seconds to give memory back to the machine: it collects the whole heap
 * twice, forgets what an object of a kind looks like that nobody holds just then (a connection, with everybody gone), and
 * with that all code that was compiled for such objects. Whoever comes next pays for it: for two seconds a request costs half
 * as much again, and the slowest hundredth waits ten times as long. 60 MB are not given back for this.
 *
 * Call it once, when the process starts.
 */
export function stayWarm(): void {
  // V8 knows the flag since 12, Node 22. To an earlier one it is an error, which it prints.
  if (Number.parseInt(versions.v8, 10) >= 12) setFlagsFromString('--memory-reducer-gc-count=0')
}
