/** Work in flight within bounds: a number of workers over a list, and a gate whose width may be narrowed as the server teaches. */

/** Runs at most as many at once as its width says; the rest wait in order. */
export interface Gate {
  run<T>(work: () => Promise<T>): Promise<T>
  /** One at a time from now on. */
  narrow(): void
}

export function createGate(width: number): Gate {
  let open = width
  let running = 0
  const waiting: (() => void)[] = []
  const next = () => {
    while (running < open && waiting.length > 0) {
      running += 1
      waiting.shift()?.()
    }
  }
  return {
    async run(work) {
      await new Promise<void>(resolve => {
        waiting.push(resolve)
        next()
      })
      try {
        return await work()
      } finally {
        running -= 1
        next()
      }
    },
    narrow() {
      open = 1
    },
  }
}

/** The results as they come, in any order. `begin` is asked for each item when its turn comes; it must not throw. */
export async function* inFlight<T, R>(
  items: readonly T[],
  width: number,
  begin: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running = new Set<Promise<{ promise: Promise<unknown>; result: R }>>()
  let index = 0
  while (index < items.length || running.size > 0) {
    while (index < items.length && running.size < width) {
      const item = items[index] as T
      index += 1
      const one: Promise<{ promise: Promise<unknown>; result: R }> = begin(item).then(result => ({
        promise: one,
        result,
      }))
      running.add(one)
    }
    const { promise, result } = await Promise.race(running)
    running.delete(promise as never)
    yield result
  }
}
