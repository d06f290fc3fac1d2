/** One step for one zone: read, judge each change, and send one request with all that is to be written. */
import type { Clock } from '../../agent/core/clock.ts'
import { ProviderFailure } from '../provider.ts'
import type { Api, WriteResult } from './api.ts'
import { inOrder, patchBody, zoneBody } from './body.ts'
import { isZone, judgeAll, keyOf, type Marked, type Settle } from './judging.ts'
import type { MarkPlace } from './marks.ts'
import type { Gate } from './pool.ts'
import { parseJson, parseZone } from './reply.ts'
import { toStanding } from './standing.ts'

export type StepContext = {
  readonly api: Api
  /** Held from the reading to the end of the write. */
  readonly gate: Gate
  readonly clock: Clock
  /** Of new zones. */
  readonly kind: string
}

export type Situation = {
  readonly apex: string
  readonly pending: ReadonlySet<Marked>
  readonly place: MarkPlace
  /** The zone is taken for absent without a look. */
  readonly blind: boolean
  /** RRsets in one request. */
  readonly patchMax: number
  /** False: only what stands already is settled. */
  readonly mayWrite: boolean
  readonly settle: Settle
}

export type Step = { readonly result: WriteResult; readonly sent: readonly Marked[] }

/** Undefined when nothing is left to write. @param begin called before something is sent. @throws ProviderFailure */
export async function nextStep(
  { api, clock, kind }: StepContext,
  { apex, pending, place, blind, patchMax, mayWrite, settle }: Situation,
  signal: AbortSignal,
  begin: () => void,
): Promise<Step | undefined> {
  const found = blind ? undefined : await api.readZone(apex, signal)
  const standing = found === undefined ? undefined : toStanding(found)
  const creation = [...pending].find(marked => isZone(marked) && marked.change.action === 'create')
  const writes = judgeAll(standing, [...pending], creation !== undefined, settle)
  if (writes.length === 0 || !mayWrite) return undefined
  begin()
  const firstSerial = Math.floor(clock.now() / 1000) % 2 ** 32
  const rrsets = inOrder(writes.filter(marked => !isZone(marked)))
  if (standing !== undefined) {
    // A zone that is adopted gets its mark alone, and before its RRsets.
    const adoption = writes.find(marked => isZone(marked) && marked.change.action === 'update')
    if (adoption !== undefined) return { result: await api.setAccount(apex, adoption.mark), sent: [adoption] }
    const deletion = writes.find(marked => isZone(marked) && marked.change.action === 'delete')
    if (deletion !== undefined) return { result: await api.deleteZone(apex), sent: writes }
    const sent = rrsets.slice(0, patchMax)
    return { result: await api.patchZone(apex, patchBody(standing, sent, place, firstSerial)), sent }
  }
  if (creation === undefined) return undefined
  // A refusal that names no RRset may be the zone's own: at last it is made bare, and the RRsets follow.
  const sent = rrsets.slice(0, Math.max(0, patchMax - 1))
  const body = zoneBody({ apex, kind, mark: creation.mark, serial: firstSerial }, sent, place)
  return { result: checkMade(api, apex, sent, await api.createZone(body)), sent: [creation, ...sent] }
}

/** A reply that says "made" and doesn't show what was made, with its marks, is none. */
function checkMade(api: Api, apex: string, sent: readonly Marked[], result: WriteResult): WriteResult {
  if (result.kind !== 'done') return result
  const zone = parseZone(parseJson(result.body))
  const observed = zone?.apex === apex ? toStanding(zone).observed : undefined
  if (observed !== undefined && sent.every(marked => observed.get(keyOf(marked))?.mark === marked.mark)) {
    api.believe(apex, result.body)
    return result
  }
  const failure = new ProviderFailure('malformed-reply', 'PowerDNS did not show the new zone', { retry: 'later' })
  return { kind: 'unclear', failure, mayHappen: true, busy: false }
}
