/** Lanes: work that waits for the one reconciler, the most urgent first. Work of the same lane that can be joined is joined. */
export const lanes = ['incident', 'operator', 'manifest', 'sweep'] as const
export type Lane = (typeof lanes)[number]

export interface WorkQueue {
  /** Resolves with what the work gives, when its turn has come and gone. */
  add<T>(lane: Lane, run: () => Promise<T>): Promise<T>
  /** True when something of a more urgent lane than `lane` waits. */
  isMoreUrgentThan(lane: Lane): boolean
  /** Resolves when nothing runs or waits. */
  idle(): Promise<void>
}

type Waiting = { readonly lane: Lane; readonly run: () => Promise<void> }

export function createQueue(): WorkQueue {
  const waiting: Waiting[] = []
  let running: Promise<void> | undefined

  const next = (): Waiting | undefined => {
    for (const lane of lanes) {
      const index = waiting.findIndex(work => work.lane === lane)
      if (index >= 0) return waiting.splice(index, 1)[0]
    }
    return undefined
  }
  const drain = async (): Promise<void> => {
    for (let work = next(); work !== undefined; work = next()) await work.run()
    running = undefined
  }
  return {
    add<T>(lane: Lane, run: () => Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ lane, run: () => run().then(resolve, reject) })
        running ??= Promise.resolve().then(drain)
      })
    },
    isMoreUrgentThan(lane) {
      const rank = lanes.indexOf(lane)
      return waiting.some(work => lanes.indexOf(work.lane) < rank)
    },
    async idle() {
      while (running !== undefined) await running
    },
  }
}
