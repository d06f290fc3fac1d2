/**
 * The changes of one zone that stands: read it, hold each change against it, write what is to be written, message by
 * message while nobody else writes, and read again until nothing is left to do. What the server refuses as one is tried one by one. An answer that was lost is settled by
 * reading: what stands afterwards is applied, anything else is unknown.
 */
import type { Outcome } from '../../agent/model/change.ts'
import { formatRef } from '../../agent/model/resource.ts'
import { codeName, responseCodes } from '../../agent/standards/dns-message.ts'
import { judge } from '../judge.ts'
import { ProviderFailure } from '../provider.ts'
import type { Session } from './session.ts'
import { clashOf, fillUpdate, type RRsetChange, resourceOf, toUnits, type Unit, zoneAfter } from './writing.ts'
import { observedRRset, type SeenZone } from './zone-content.ts'

const wholeZoneRoundsMax = 2 // after that only what is written must be as it was seen
const staleRoundsMax = 4 // somebody who edits a zone more often than this between a read and a write goes on doing so

const prerequisiteCodes: readonly number[] = [
  responseCodes.nameError,
  responseCodes.nameExists,
  responseCodes.rrsetExists,
  responseCodes.rrsetAbsent,
]

type Result = Outcome['result']

/**
 * @param read the zone as it stands, null when there is none; throws ProviderFailure.
 * @param unread what a change is of which nothing was sent, when the zone cannot be read.
 */
export async function applyRRsets(
  session: Session,
  read: () => Promise<SeenZone | null>,
  changes: readonly RRsetChange[],
  signal: AbortSignal,
  unread: 'failed' | 'unknown' = 'failed',
): Promise<Outcome[]> {
  const outcomes = new Map<RRsetChange, Outcome>()
  const settle: Settle = (unit, result, detail) => {
    for (const marked of unit)
      outcomes.set(marked, { ref: marked.change.ref, result, ...(detail === undefined ? {} : { detail }) })
  }
  const left = () => changes.filter(change => !outcomes.has(change))
  const progress: Progress = { lost: new Map(), alone: new Set(), staleRounds: 0, refusedAt: undefined, countsOn: true }
  while (left().length > 0) {
    let zone: SeenZone | null
    try {
      zone = await read()
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      for (const change of left())
        settle([change], progress.lost.has(change) ? 'unknown' : unread, progress.lost.get(change) ?? error.message)
      break
    }
    const units = toUnits(judgeAll(zone, left(), progress.lost, settle)).filter(unit => {
      const clash = zone === null ? undefined : clashOf(zone, unit)
      if (clash !== undefined) settle(unit, 'conflict', clash)
      return clash === undefined
    })
    if (zone !== null) await writeUnits(session, zone, units, { progress, settle, signal })
  }
  return changes.map(change => outcomes.get(change)!)
}

type Settle = (unit: Unit, result: Result, detail?: string) => void

/** What the rounds of one zone know of each other. */
type Progress = {
  /** Sent, with an answer that never came or proved nothing. */
  readonly lost: Map<RRsetChange, string>
  /** Refused together with others: what remains goes alone. */
  readonly alone: Set<RRsetChange>
  staleRounds: number
  /** The serial at which the server refused, though nobody was seen to write. */
  refusedAt: number | undefined
  /** Until the server turns out to count otherwise, or somebody else writes: then the zone is read after each message. */
  countsOn: boolean
}

/** Message by message, until all is written or the zone must be read again. */
async function writeUnits(
  session: Session,
  zone: SeenZone,
  units: readonly Unit[],
  { progress, settle, signal }: { progress: Progress; settle: Settle; signal: AbortSignal },
): Promise<void> {
  let standing: SeenZone | undefined = zone
  let queue = units
  while (standing !== undefined && queue.length > 0) {
    if (signal.aborted) {
      settle(queue.flat(), 'skipped', 'broken off before it began')
      return
    }
    const [first = []] = queue
    const { alone } = progress
    const together = first.some(change => alone.has(change)) ? [first] : queue.filter(unit => !alone.has(unit[0]!))
    // A server that signs what it shows counts on its own; and somebody may write all the time.
    const open = standing.serial === progress.refusedAt || progress.staleRounds >= wholeZoneRoundsMax
    const filled = fillUpdate(standing, together, open ? 'what-is-written' : 'whole-zone')
    if (filled === undefined) {
      settle(first, 'failed', 'what is old and what is new does not fit into one message of 65,535 octets')
      return
    }
    const { taken } = filled
    const answer = await session.update(filled.update)
    if (answer.result !== 'done') {
      if (answer.result === 'refused') {
        if (standing !== zone) progress.countsOn = false
        else takeRefusal(session.server, { rcode: answer.rcode, taken, serial: zone.serial }, progress, settle)
      } else if (answer.result === 'not-sent') settle(queue.flat(), 'failed', answer.failure.message)
      else for (const change of taken.flat()) progress.lost.set(change, answer.failure.message)
      return
    }
    settle(taken.flat(), 'applied')
    queue = queue.filter(unit => !taken.includes(unit))
    standing = progress.countsOn ? zoneAfter(standing, filled) : undefined
  }
}

function takeRefusal(
  server: string,
  { rcode, taken, serial }: { rcode: number; taken: readonly Unit[]; serial: number },
  progress: Progress,
  settle: Settle,
): void {
  const batch = taken.flat()
  if (!prerequisiteCodes.includes(rcode)) {
    if (taken.length > 1) for (const change of batch) progress.alone.add(change)
    else settle(batch, 'failed', refusal(server, batch, rcode))
    return
  }
  progress.staleRounds += 1
  progress.refusedAt = serial
  if (progress.staleRounds > staleRoundsMax)
    settle(batch, 'conflict', `it was edited meanwhile: the server answers ${codeName(rcode)}`)
}

/** Settles what needs no writing, and what can't be told any more; gives the rest. */
function judgeAll(
  zone: SeenZone | null,
  changes: readonly RRsetChange[],
  lost: ReadonlyMap<RRsetChange, string>,
  settle: Settle,
): RRsetChange[] {
  return changes.filter(marked => {
    const resource = resourceOf(marked)
    const seen = zone?.shown.get(`${resource.owner} ${resource.type}`)
    const judgement = judge(marked, zone === null || seen === undefined ? undefined : observedRRset(zone, seen))
    if (judgement.verdict === 'nothing') settle([marked], 'applied')
    // The server may still be at it: that it does not stand there now says nothing of the next moment.
    else if (lost.has(marked)) settle([marked], 'unknown', lost.get(marked))
    else if (judgement.verdict === 'conflict') settle([marked], 'conflict', judgement.detail)
    else if (zone === null) settle([marked], 'conflict', 'its zone does not exist')
    else return true
    return false
  })
}

function refusal(server: string, changes: readonly RRsetChange[], rcode: number): string {
  const code = codeName(rcode)
  const mail = changes.some(change => ['MX', 'SRV', 'NS'].includes(resourceOf(change).type))
  if (rcode === responseCodes.refused)
    return mail
      ? `${server} answers ${code}: the key may not update the zone, or a target within the zone has no address`
      : `${server} answers ${code}: the key may not update the zone`
  if (rcode === responseCodes.notZone) return `${server} answers ${code}: the name is not within the zone`
  if (rcode === responseCodes.notAuthoritative)
    return `${server} answers ${code}: the zone is not served there, or the key may not update it`
  return `${server} answers ${code} to the update of ${changes.map(({ change }) => formatRef(change.ref)).join(', ')}`
}
