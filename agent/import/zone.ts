/**
 * A zone that stands, as the part of it that its manifest has to say: what mailwarden derives by itself is left out,
 * what it would change is a difference, what no manifest holds is reported. Nothing of a zone goes unmentioned. Pure.
 */
import { desiredDns } from '../desired/dns.ts'
import type { ExtraRecord, Institution, MailDomain } from '../model/entity.ts'
import { formatRef, type RRsetResource, refOf } from '../model/resource.ts'
import type { AgentConfig, World } from '../model/world.ts'
import { parseDkim, selectorOf } from '../standards/dkim.ts'
import { canonicalRRset } from '../standards/dns-resource.ts'
import { compareText, type Difference, type Left, type LeftReason } from './estate.ts'
import { judgeRecords } from './judge-records.ts'

export const nowhere = { file: '', line: 1, column: 1 } as const

export type ZoneDraft = {
  /** Seconds. */
  readonly ttl: number
  readonly extra: readonly RRsetResource[]
  readonly differences: readonly Difference[]
  readonly left: readonly Left[]
}

export type ZoneSurroundings = { readonly config: AgentConfig; readonly institution: Institution }

const ttlDefault = 3600 // seconds; that of a manifest which says nothing
const ttlBounds = { min: 60, max: 604_800 } as const // seconds; of the schema

/** Neither a domain of mail nor a sender: what mailwarden derives for names with an address alone. */
const silentTypes = new Set(['MX', 'TXT'])

export function draftZone(
  domain: MailDomain,
  found: readonly RRsetResource[],
  surroundings: ZoneSurroundings,
): ZoneDraft {
  const standing = found.map(canonicalRRset).toSorted((a, b) => compareText(a.key, b.key))
  const bare = derive({ ...domain, extra: [] }, surroundings)
  const ttl = usualTtl(standing, bare)
  const base = { ...domain, ttl }
  const aliases = new Set(standing.filter(({ type }) => type === 'CNAME').map(({ owner }) => owner))
  const candidates = standing.flatMap(record => candidateOf(record, bare, domain, ttl, aliases) ?? [])
  const { kept, refused } = judgeRecords(domain.name, candidates)
  const extra = withoutDerived(base, kept, standing, surroundings)
  const wanted = derive({ ...base, extra: extra.map(toExtra) }, surroundings)
  const reasons = new Map(refused.map(({ record, reason }) => [record.key, reason]))
  const left: Left[] = refused
    .filter(({ record }) => wanted.has(record.key))
    .map(({ record, values, reason }) => leftOf(record, values, reason))
  const rest = compareZone(standing, wanted, reasons)
  return { ttl, extra, differences: rest.differences, left: [...left, ...rest.left] }
}

/** Every RRset that stands is wanted as it is, or is a difference, or is left. */
export function compareZone(
  standing: readonly RRsetResource[],
  wanted: ReadonlyMap<string, RRsetResource>,
  reasons: ReadonlyMap<string, LeftReason>,
): { readonly differences: readonly Difference[]; readonly left: readonly Left[] } {
  const differences: Difference[] = []
  const left: Left[] = []
  for (const record of standing) {
    const derived = wanted.get(record.key)
    if (derived === undefined) left.push(leftOf(record, record.values, reasons.get(record.key) ?? 'hidden'))
    else if (!isEqual(record, derived)) {
      const { ttl, values } = record
      differences.push({
        subject: formatRef(refOf(record)),
        standing: { ttl, values },
        declared: { ttl: derived.ttl, values: derived.values },
      })
    }
  }
  return { differences, left }
}

function leftOf(record: RRsetResource, values: readonly string[], reason: LeftReason): Left {
  return { where: formatRef(refOf(record)), what: `${record.ttl} ${record.type} ${values.join(' | ')}`, reason }
}

const isEqual = (a: RRsetResource, b: RRsetResource) =>
  a.ttl === b.ttl && JSON.stringify(a.values) === JSON.stringify(b.values)

/** What mailwarden makes of a domain, by key. */
export function derive(domain: MailDomain, { config, institution }: ZoneSurroundings): Map<string, RRsetResource> {
  const records = desiredDns(worldOf(domain, config, institution)).map(({ resource }) => resource)
  return new Map(records.flatMap(record => (record.kind === 'rrset' ? [[record.key, record] as const] : [])))
}

/**
 * The record of a DKIM key that mailwarden made: its selector follows from the key. Which keys a domain has is the
 * register's affair; nobody writes them into a manifest.
 */
export function isOwnKey({ owner, type, values }: RRsetResource): boolean {
  const [value = ''] = values
  const key = type === 'TXT' && values.length === 1 ? parseDkim(value) : undefined
  return key !== undefined && owner.startsWith(`${selectorOf(key.publicKey)}._domainkey.`)
}

/** A world of one domain. */
export function worldOf(domain: MailDomain, config: AgentConfig, institution: Institution): World {
  return {
    at: 0,
    config,
    institutions: new Map([[institution.name, institution]]),
    domains: new Map([[domain.name, { domain, state: 'active', holds: [], blockedBy: [], leaving: false }]]),
    accounts: new Map(),
    waivers: [],
    dkim: new Map(),
    country: null,
    holds: [],
    diagnostics: [],
  }
}

/** That of most records that are derived, so that fewest of them change; else that of most records. */
function usualTtl(standing: readonly RRsetResource[], bare: ReadonlyMap<string, RRsetResource>): number {
  const derived = standing.filter(({ key }) => bare.has(key))
  const counts = new Map<number, number>()
  for (const { ttl } of derived.length > 0 ? derived : standing) counts.set(ttl, (counts.get(ttl) ?? 0) + 1)
  const [usual] = [...counts].toSorted(([a, many], [b, more]) => more - many || a - b)
  return bounded(usual?.[0] ?? ttlDefault)
}

function bounded(ttl: number): number {
  return Math.min(Math.max(ttl, ttlBounds.min), ttlBounds.max)
}

/** What a manifest would have to say to keep this record; undefined when there is nothing to say. */
function candidateOf(
  record: RRsetResource,
  bare: ReadonlyMap<string, RRsetResource>,
  domain: MailDomain,
  ttl: number,
  aliases: ReadonlySet<string>,
): RRsetResource | undefined {
  const { owner, type, values } = record
  if (owner === domain.name && type === 'TXT') {
    // They share one RRset with the derived SPF, and its time to live.
    const own = values.filter(value => !/^"?\s*v=spf1(?:\s|"|$)/i.test(value))
    return own.length === 0 ? undefined : { ...record, values: own, ttl }
  }
  if (bare.has(record.key)) return undefined
  // RFC 1034 section 3.6.2: an alias has no company. The one that breaks the rule is reported.
  if (aliases.has(owner) && type !== 'CNAME') return undefined
  return { ...record, ttl: bounded(record.ttl) }
}

/** Leaves out what is derived from the rest: the defence of names that take no mail. */
function withoutDerived(
  domain: MailDomain,
  kept: readonly RRsetResource[],
  standing: readonly RRsetResource[],
  surroundings: ZoneSurroundings,
): readonly RRsetResource[] {
  const stands = new Map(standing.map(record => [record.key, record]))
  let needless = new Set(
    kept.filter(({ type, owner }) => silentTypes.has(type) && owner !== domain.name).map(({ key }) => key),
  )
  // Each one that is not derived after all may have kept others from being derived: until nothing moves.
  for (;;) {
    const extra = kept.filter(({ key }) => !needless.has(key))
    const wanted = derive({ ...domain, extra: extra.map(toExtra) }, surroundings)
    const still = new Set(
      [...needless].filter(key => {
        const derived = wanted.get(key)
        const record = stands.get(key)
        return derived !== undefined && record !== undefined && isEqual(record, derived)
      }),
    )
    if (still.size === needless.size) return extra
    needless = still
  }
}

export function toExtra({ owner, type, values, ttl }: RRsetResource): ExtraRecord {
  return { owner, type, values, ttl, place: nowhere }
}
