/**
 * What manifests will be found to lack on the days to come, if nobody edits them: contracts, determinations of capacity,
 * terms of representatives, memberships, exceptions and waivers that end. The days are tried one after the other with the
 * very checks that run every day, so that a forecast can't differ from what comes.
 */
import { type Day, nextDay } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { EstateReader } from './load.ts'

export type Foreseen = { readonly day: Day; readonly diagnostic: Diagnostic }

/** Longer than a contract's usual notice; each day costs a look at everything. */
export const forecastDaysMax = 400

/**
 * Findings that are not there today, each with the first day that it is there. In order of day, then of place.
 * @param until the last day looked at. @param progress told of each day done.
 */
export async function forecast(
  reader: EstateReader,
  span: { readonly today: Day; readonly until: Day; readonly timeZone: string },
  progress: (done: number) => void,
): Promise<readonly Foreseen[]> {
  const { until, timeZone } = span
  const known = new Set((await reader.load({ today: span.today, timeZone })).diagnostics.map(keyOf))
  const foreseen: Foreseen[] = []
  let days = 0
  for (let day = nextDay(span.today); day <= until; day = nextDay(day)) {
    const { diagnostics } = await reader.load({ today: day, timeZone })
    for (const diagnostic of diagnostics) {
      const key = keyOf(diagnostic)
      if (known.has(key)) continue
      known.add(key)
      foreseen.push({ day, diagnostic })
    }
    days += 1
    progress(days)
  }
  return foreseen
}

/** The same finding on another day has other words, and stands at the same place. */
function keyOf({ code, place, pointer, subject }: Diagnostic): string {
  return JSON.stringify([code, place?.file, place?.line, place?.column, pointer, subject])
}
