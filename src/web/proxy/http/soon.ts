// What is done before the process looks at its sockets again, for all that came in together: one timer for many, where
// one for each would cost more than what it does.

/** Each is handed to `work` once, in the order in which they came. `work` must not throw. */
export function createSoon<One>(work: (one: One) => void): (one: One) => void {
  let due: One[] = []
  const run = () => {
    const now = due
    due = []
    for (const one of now) work(one)
  }
  return one => {
    if (due.push(one) === 1) setImmediate(run)
  }
}
