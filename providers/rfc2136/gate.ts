/** At most so many at once; the others wait in the order in which they came. Pure but for the waiting. */

export type Gate = <T>(work: () => Promise<T>) => Promise<T>

export function createGate(limit: number): Gate {
  let inside = 0
  const waiting: (() => void)[] = []
  return async work => {
    if (inside >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    else inside += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      // The place is handed on, so that nobody who comes later slips in between.
      if (next === undefined) inside -= 1
      else next()
    }
  }
}

/** Each piece of work, at most `limit` on the way; the first failure is given when nothing is on the way any more. */
export async function eachOf<T>(items: Iterable<T>, limit: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const gate = createGate(limit)
  const ends = await Promise.allSettled([...items].map(item => gate(() => work(item))))
  const failed = ends.find(end => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Results as they come, at most `limit` on the way. */
export async function* inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running = new Map<number, Promise<readonly [number, R]>>()
  let next = 0
  while (next < items.length || running.size > 0) {
    while (next < items.length && running.size < limit) {
      const [index, item] = [next, items[next] as T]
      running.set(
        index,
        work(item).then(result => [index, result] as const),
      )
      next += 1
    }
    const [index, result] = await Promise.race(running.values())
    running.delete(index)
    yield result
  }
}
