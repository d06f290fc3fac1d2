/**
 * The changes of one zone, until each has its outcome. The API has no condition to hold a write to, so the reading right
 * before it is the lock. A request without a clear reply is believed neither way: the zone is read and judged again, so
 * nothing is made twice and nothing is called done that isn't there.
 */
import type { Outcome } from '../../agent/model/change.ts'
import { ProviderFailure } from '../provider.ts'
import { firstPauseMs, type WriteResult } from './api.ts'
import { namedIn } from './body.ts'
import { isUnwritable, type Marked, type Settle } from './judging.ts'
import { nextStep, type StepContext } from './step.ts'

const attemptsMax = 7 // of a write without a clear reply; with pauses that double, about five seconds
const attemptsAfterAbortMax = 3 // what was begun gets its chance to be known, not the whole of our patience

/** Never throws but on a broken invariant. @param changes canonical, of this zone only. */
export async function applyZone(
  context: StepContext,
  apex: string,
  changes: readonly Marked[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const pending = new Set(changes)
  const settle: Settle = (settled, result, detail) => {
    for (const marked of settled) {
      if (!pending.delete(marked)) continue
      const { ref } = marked.change
      outcomes.push(detail === undefined ? { ref, result } : { ref, result, detail })
    }
  }
  const progress: Progress = { patchMax: Number.POSITIVE_INFINITY, begun: false, doubt: undefined }
  try {
    settle(changes.filter(isUnwritable), 'failed', 'PowerDNS cannot hold one of its values')
    const place = await context.api.markPlace(signal)
    // A new zone is sent without a look: the server itself refuses one that stands.
    let blind = changes.every(({ change }) => change.action === 'create') && changes.some(isZoneCreation)
    for (let attempt = 1, pauseMs = firstPauseMs; pending.size > 0; blind = false) {
      const spent = attempt > (signal.aborted ? attemptsAfterAbortMax : attemptsMax)
      const situation = { apex, pending, place, blind, patchMax: progress.patchMax, settle, mayWrite: !spent }
      const step = await context.gate.run(async () => {
        if (signal.aborted && !progress.begun) return undefined
        // What was begun is looked at even after an abort: else its outcome would be unknown.
        return nextStep(context, situation, progress.begun ? never : signal, () => {
          progress.begun = true
        })
      })
      if (step === undefined) break
      take(step.result, step.sent, pending, progress, settle)
      if (step.result.kind === 'unclear' && step.result.busy) context.gate.narrow()
      if (step.result.kind === 'unclear' || (step.result.kind === 'moved' && !blind)) {
        await context.clock.sleep(pauseMs, signal)
        attempt += 1
        pauseMs *= 2
      }
    }
    settle([...pending], leftResult(progress, signal), leftDetail(progress))
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    // Without a look at it, what had no clear reply may stand as well as not.
    settle([...pending], progress.doubt === undefined ? leftResult(progress, signal) : 'unknown', error.message)
  }
  return outcomes
}

const never = new AbortController().signal

type Progress = {
  /** RRsets in one request, fewer after a refusal that named none. */
  patchMax: number
  /** Something was sent. */
  begun: boolean
  /** The last write without a clear reply. */
  doubt: (WriteResult & { kind: 'unclear' }) | undefined
}

function take(
  result: WriteResult,
  sent: readonly Marked[],
  pending: ReadonlySet<Marked>,
  progress: Progress,
  settle: Settle,
): void {
  switch (result.kind) {
    case 'done':
      progress.patchMax = Number.POSITIVE_INFINITY
      settle(sent, 'applied')
      break
    case 'refused': {
      const named = namedIn(result.detail, sent)
      // When it names none, fewer are tried at once, until the one at fault is alone.
      if (named.length === 0 && sent.length > 1) progress.patchMax = Math.ceil(sent.length / 2)
      else settle(named.length > 0 ? named : sent, 'failed', result.detail)
      break
    }
    case 'barred':
      settle([...pending], progress.doubt?.mayHappen ? 'unknown' : 'failed', result.failure.message)
      break
    case 'unclear':
      // A later failure that did nothing doesn't take back what an earlier one may yet do.
      progress.doubt = { ...result, mayHappen: result.mayHappen || progress.doubt?.mayHappen === true }
      break
    case 'moved':
      break
  }
}

function leftResult({ begun, doubt }: Progress, signal: AbortSignal): Outcome['result'] {
  if (doubt?.mayHappen) return 'unknown'
  return signal.aborted && !begun ? 'skipped' : 'failed'
}

function leftDetail({ begun, doubt }: Progress): string {
  if (!begun) return 'broken off before it began'
  return doubt?.failure.message ?? 'the zone comes and goes'
}

function isZoneCreation({ change }: Marked): boolean {
  return change.ref.kind === 'zone' && change.action === 'create'
}
