/**
 * A catalog zone (RFC 9432), for secondaries that take their zones from it: a PTR for each zone of ours under a label that
 * follows from its name, written by UPDATE. The catalog itself is the operator's; members of others are left alone.
 */
import { sha256 } from '../../agent/core/digest.ts'
import { responseCodes } from '../../agent/standards/dns-message.ts'
import type { Prerequisite, UpdateStep } from '../../agent/standards/dns-update.ts'
import { fromRdata, toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'
import { ProviderFailure } from '../provider.ts'
import type { Session } from './session.ts'

const membersAtOnceMax = 300 // each takes a prerequisite and a step of a name or two; the message ends at 64 KiB
const labelLength = 16 // 64 bits: two zones with one label are not to be expected, and are refused by the prerequisite
const memberTtl = 0 // RFC 9432 section 4.1: TTLs of a catalog mean nothing
const attemptsMax = 4

export interface Catalog {
  /** @throws ProviderFailure */
  add(apexes: readonly string[], signal: AbortSignal): Promise<void>
  /** @throws ProviderFailure */
  remove(apexes: readonly string[], signal: AbortSignal): Promise<void>
}

export function createCatalog(session: Session, catalog: string): Catalog {
  const ownerOf = (apex: string) => `${sha256(apex).slice(0, labelLength)}.zones.${catalog}`
  const pointer = (apex: string) => toRdata({ type: 'PTR', target: apex }, 0)
  const failure = (why: string) => new ProviderFailure('rejected', `the catalog ${catalog} ${why}`, { retry: 'later' })

  /** Zones that are members, under whatever label, and the owners that are taken. */
  async function read(signal: AbortSignal): Promise<{ members: Set<string>; owners: Set<string> }> {
    const transfer = await session.transfer(catalog, signal)
    if (transfer.result !== 'zone') throw failure(`is not given to us by ${session.server}`)
    const members = new Set<string>()
    const owners = new Set<string>()
    for (const { owner, type, rdata } of transfer.records) {
      const value = type === typeCodes.PTR ? fromRdata(type, rdata) : undefined
      if (value?.type !== 'PTR' || !owner.endsWith(`.zones.${catalog}`)) continue
      members.add(value.target)
      owners.add(owner)
    }
    return { members, owners }
  }

  const version: Prerequisite = {
    needs: 'rrset-is',
    owner: `version.${catalog}`,
    type: 'TXT',
    rdata: [toRdata({ type: 'TXT', text: '2' }, 0)],
  }

  /** @param part the prerequisite and the step of a zone, undefined when nothing is left to do for it. */
  async function write(
    apexes: readonly string[],
    signal: AbortSignal,
    part: (apex: string, seen: { members: Set<string>; owners: Set<string> }) => [Prerequisite, UpdateStep] | undefined,
  ): Promise<void> {
    let why = 'is edited all the time'
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const seen = await read(signal)
      const parts = apexes
        .flatMap(apex => [part(apex, seen) ?? []].filter(one => one.length === 2))
        .slice(0, membersAtOnceMax)
      if (parts.length === 0) return
      const prerequisites = [version, ...parts.map(([prerequisite]) => prerequisite)]
      const answer = await session.update({ zone: catalog, prerequisites, steps: parts.map(([, step]) => step) })
      // What became of it is read; more than one message is needed for many zones.
      if (answer.result === 'done') attempt = -1
      else if (answer.result !== 'refused') throw answer.failure
      else if (answer.rcode === responseCodes.rrsetAbsent) why = 'is no catalog of version 2, or is edited all the time'
      else if (answer.rcode !== responseCodes.rrsetExists) throw failure(`does not take our update`)
    }
    throw failure(why)
  }

  return {
    add: (apexes, signal) =>
      write(apexes, signal, (apex, { members }) => {
        if (members.has(apex)) return undefined
        const owner = ownerOf(apex)
        return [
          { needs: 'rrset-absent', owner, type: 'PTR' },
          { step: 'add', owner, type: 'PTR', ttl: memberTtl, rdata: pointer(apex) },
        ]
      }),
    remove: (apexes, signal) =>
      write(apexes, signal, (apex, { owners }) => {
        const owner = ownerOf(apex)
        if (!owners.has(owner)) return undefined
        return [
          { needs: 'rrset-is', owner, type: 'PTR', rdata: [pointer(apex)] },
          { step: 'delete-rrset', owner, type: 'PTR' },
        ]
      }),
  }
}
