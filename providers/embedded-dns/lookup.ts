/**
 * Finds the answer to a question in a zone: RFC 1034 section 4.3.2, RFC 4592 (wildcards), RFC 2308 (negative answers),
 * RFC 6604 (the code after an alias), RFC 8482 (ANY). Pure.
 */
import { typeCodes } from '../../agent/standards/dns-wire.ts'
import { anyType, rcodes, type WireRecord } from './wire.ts'
import type { IndexedZone, WireRRset, ZoneNode } from './zone-index.ts'

const aliasChainMax = 8 // resolvers give up at about as many; a longer chain is a mistake
const additionalTargetsMax = 16 // addresses are a courtesy, and must not make the message grow

export type Lookup = {
  readonly rcode: number
  /** False for a referral to the servers of a delegated name. */
  readonly authoritative: boolean
  readonly answers: readonly WireRecord[]
  readonly authorities: readonly WireRecord[]
  readonly additionals: readonly WireRecord[]
}

function toRecords(owner: string, rrset: WireRRset): WireRecord[] {
  return rrset.rdatas.map(rdata => ({ owner, type: rrset.type, ttl: rrset.ttl, rdata }))
}

function isWithin(name: string, apex: string): boolean {
  return name === apex || name.endsWith(`.${apex}`)
}

/** The name at or above `name`, below the apex, that is delegated; undefined when this zone has the say itself. */
function delegationOf(zone: IndexedZone, name: string): { owner: string; ns: WireRRset } | undefined {
  if (name === zone.apex) return undefined
  const below = name.slice(0, -zone.apex.length - 1).split('.')
  for (let index = below.length - 1; index >= 0; index -= 1) {
    const owner = `${below.slice(index).join('.')}.${zone.apex}`
    const ns = zone.nodes.get(owner)?.get(typeCodes.NS)
    if (ns !== undefined && !owner.startsWith('*.')) return { owner, ns }
  }
  return undefined
}

/** The node of a name, or of the wildcard that stands for it (RFC 4592 section 3.3.1). */
function nodeOf(zone: IndexedZone, name: string): ZoneNode | undefined {
  const exact = zone.nodes.get(name)
  if (exact !== undefined) return exact
  for (let encloser = name; encloser !== zone.apex; ) {
    encloser = encloser.slice(encloser.indexOf('.') + 1)
    if (zone.nodes.has(encloser)) return zone.nodes.get(`*.${encloser}`)
  }
  return undefined
}

/** Addresses of in-zone names that the records point to. */
function addressesOf(zone: IndexedZone, rrsets: readonly WireRRset[]): WireRecord[] {
  const targets = [...new Set(rrsets.flatMap(rrset => rrset.targets))].slice(0, additionalTargetsMax)
  return targets.flatMap(target => {
    const node = zone.nodes.get(target)
    return [node?.get(typeCodes.A), node?.get(typeCodes.AAAA)].flatMap(rrset =>
      rrset === undefined ? [] : toRecords(target, rrset),
    )
  })
}

/** What the node has for a type. For ANY one RRset stands for all (RFC 8482 section 4.1). */
function pick(node: ZoneNode, type: number): WireRRset | undefined {
  if (type !== anyType) return node.get(type)
  return [...node.values()].sort((a, b) => a.type - b.type)[0]
}

const dsType = 43 // RFC 4035 section 3.1.4.1: the one type that the delegating side answers for

/** @param name as `Question.name`, at or below the zone's apex. */
export function lookUp(zone: IndexedZone, name: string, type: number): Lookup {
  const soa = zone.negative
  // A zone that is only half written yet must not be taken for one that lacks names.
  if (soa === undefined)
    return { rcode: rcodes.serverFailure, authoritative: false, answers: [], authorities: [], additionals: [] }
  const answers: WireRecord[] = []
  const seen = new Set<string>()
  const finish = (
    rcode: number,
    authorities: readonly WireRecord[],
    additionals: readonly WireRecord[] = [],
  ): Lookup => ({
    rcode,
    authoritative: true,
    answers,
    authorities,
    additionals,
  })
  const negative = toRecords(zone.apex, soa)
  for (let owner = name; seen.size < aliasChainMax && !seen.has(owner); ) {
    seen.add(owner)
    const delegation = delegationOf(zone, owner)
    if (delegation !== undefined && !(delegation.owner === owner && type === dsType)) {
      const referral = finish(
        rcodes.noError,
        toRecords(delegation.owner, delegation.ns),
        addressesOf(zone, [delegation.ns]),
      )
      return { ...referral, authoritative: answers.length > 0 }
    }
    const node = nodeOf(zone, owner)
    if (node === undefined) return finish(rcodes.nameError, negative)
    const alias = type === typeCodes.CNAME || type === anyType ? undefined : node.get(typeCodes.CNAME)
    if (alias === undefined) {
      const found = pick(node, type)
      if (found === undefined) return finish(rcodes.noError, negative)
      answers.push(...toRecords(owner, found))
      return finish(rcodes.noError, [], addressesOf(zone, [found]))
    }
    answers.push(...toRecords(owner, alias))
    const target = alias.targets[0] ?? ''
    if (!isWithin(target, zone.apex)) return finish(rcodes.noError, [])
    owner = target
  }
  return finish(rcodes.noError, [])
}
