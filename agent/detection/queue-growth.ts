/**
 * Whether more mail of a domain waits than is usual for it (mission section 8: five times its baseline). A server that is
 * misconfigured looks the same, so it is never enough by itself. Pure; counts of the last day in memory, bounded: after a
 * restart it says nothing until it has an hour of them.
 */
export const growth = 5
/** Never of few: a list that waits for one slow host is a hundred messages. */
export const waitingMin = 100
/** An hour of looks, five minutes apart; and a day of them. */
export const looksMin = 12
const looksMax = 288
/** Domains that ever had mail waiting. */
const domainsMax = 10_000

export type QueueMeter = {
  /** Takes one look, of all hosts together; gives the domains whose mail grew, with how many wait. */
  take(waiting: ReadonlyMap<string, number>): readonly { readonly domain: string; readonly count: number }[]
}

export function createQueueMeter(): QueueMeter {
  const looks = new Map<string, number[]>()
  let taken = 0
  return {
    take(waiting) {
      taken += 1
      for (const domain of waiting.keys()) if (!looks.has(domain) && looks.size < domainsMax) looks.set(domain, [])
      const grown: { domain: string; count: number }[] = []
      for (const [domain, counts] of looks) {
        const count = waiting.get(domain) ?? 0
        // Who had nothing waiting had none in the looks before, too.
        const usual = medianOf([
          ...counts,
          ...Array(Math.max(0, Math.min(taken - 1, looksMax) - counts.length)).fill(0),
        ])
        const isGrown = taken > looksMin && count >= waitingMin && count >= growth * usual
        if (isGrown) grown.push({ domain, count })
        counts.push(count)
        if (counts.length > looksMax) counts.shift()
        if (counts.every(one => one === 0)) looks.delete(domain)
      }
      return grown
    },
  }
}

/** Of nothing: 0. */
function medianOf(counts: readonly number[]): number {
  return counts.toSorted((a, b) => a - b)[Math.floor(counts.length / 2)] ?? 0
}
