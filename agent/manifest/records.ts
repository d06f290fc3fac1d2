/**
 * Records that a domain asks for besides the derived ones: within its zone, in the right form, and never in the place
 * of a derived one (K14). Names become absolute, values canonical as `RRsetResource` has them. Pure; RFC 1035, 8659.
 */
import type { ExtraRecord } from '../model/entity.ts'
import { type DomainName, parseDomainName, parseOwnerName } from '../model/name.ts'
import type { Checking } from './checking.ts'
import { placeAt, type Sheet, spotOf } from './file.ts'
import { parseIp } from './network.ts'
import type { MailDomainSpec } from './schema.ts'
import type { Path } from './tree.ts'

type ExtraSpec = NonNullable<NonNullable<MailDomainSpec['dns']>['extra']>[number]

type Seen = { readonly record: ExtraSpec; readonly path: Path }

/** Owner names, relative to the zone, that are derived or would cover a derived name. */
const derivedNames = new Set([
  '_dmarc',
  '_report._dmarc',
  '_mta-sts',
  'mta-sts',
  '_tls',
  '_smtp._tls',
  '_domainkey',
  '_tcp',
  '_submission._tcp',
  '_submissions._tcp',
  '_imap._tcp',
  '_imaps._tcp',
  '_pop3._tcp',
  '_pop3s._tcp',
  '_autodiscover._tcp',
  'autoconfig',
  'autodiscover',
])
const derivedApexTypes = new Set(['SOA', 'NS', 'MX', 'CNAME'])

export function checkRecords(
  checking: Checking,
  sheet: Sheet,
  zone: DomainName,
  extra: readonly ExtraSpec[],
): readonly ExtraRecord[] {
  const subject = `domain:${zone}`
  const seen = new Map<string, Seen>()
  const byOwner = new Map<string, Seen>()
  return extra.flatMap((record, index): ExtraRecord[] => {
    const path = ['spec', 'dns', 'extra', index]
    const fail = (code: string, at: Path, values: Record<string, string>, other?: Path, suggestion?: string) => {
      const related = other === undefined ? {} : { related: [{ spot: spotOf(sheet, other), label: 'first' }] }
      checking.findings.error(code, sheet, at, values, { subject, ...related, suggestion })
    }
    const owner = parseOwnerName(record.name, zone)
    if (owner === undefined) {
      fail('E-RECORD-NAME', [...path, 'name'], { found: record.name, zone })
      return []
    }
    if (isDerived(owner, zone, record)) {
      fail('E-RECORD-DERIVED', [...path, 'name'], { owner, type: record.type })
      return []
    }
    const other = byOwner.get(owner)
    // RFC 1034 section 3.6.2: a CNAME stands alone.
    if (other !== undefined && (other.record.type === 'CNAME' || record.type === 'CNAME')) {
      fail('E-RECORD-CNAME', path, { owner, type: other.record.type }, other.path)
    }
    const twin = seen.get(`${owner}/${record.type}`)
    // RFC 2181 section 5.2: the records of one owner and type are one set, with one time to live.
    if (twin !== undefined && twin.record.ttl !== record.ttl) {
      fail('E-RECORD-TTL', path, { owner, type: record.type }, twin.path)
    }
    seen.set(`${owner}/${record.type}`, { record, path })
    byOwner.set(owner, { record, path })
    const values = record.values.flatMap((value, at) => {
      const canonical = canonicalValue(record.type, value, zone)
      if (typeof canonical === 'string') return [canonical]
      fail(
        'E-RECORD-VALUE',
        [...path, 'values', at],
        { found: value, type: record.type },
        undefined,
        canonical.suggestion,
      )
      return []
    })
    if (record.type === 'CNAME' && record.values.length > 1) {
      fail('E-RECORD-VALUE', [...path, 'values', 1], { found: record.values[1] ?? '', type: record.type })
    }
    return [{ owner, type: record.type, values, ttl: record.ttl ?? null, place: placeAt(sheet, path) }]
  })
}

function isDerived(owner: string, zone: DomainName, record: ExtraSpec): boolean {
  if (owner === zone) {
    const isSpf = record.type === 'TXT' && record.values.some(value => /^"?\s*v=spf1(\s|"|$)/i.test(value))
    return derivedApexTypes.has(record.type) || isSpf
  }
  const relative = owner.slice(0, -zone.length - 1)
  // A wildcard MX or TXT would answer for every name, `*.` of a derived name for what lies below it.
  const bare = relative.startsWith('*.') ? relative.slice(2) : relative
  return derivedNames.has(bare) || bare.endsWith('._domainkey')
}

type Refused = { readonly suggestion?: string }

function canonicalValue(type: ExtraSpec['type'], text: string, zone: DomainName): string | Refused {
  switch (type) {
    case 'A':
    case 'AAAA': {
      const address = parseIp(text)
      return address?.kind() === (type === 'A' ? 'ipv4' : 'ipv6') ? address.toString() : {}
    }
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return canonicalTarget(text, zone)
    case 'MX':
      return withTarget(/^(\d{1,5}) +(\S+)$/.exec(text), zone)
    case 'SRV':
      return withTarget(/^(\d{1,5} +\d{1,5} +\d{1,5}) +(\S+)$/.exec(text), zone)
    case 'TXT':
      return /^[\x20-\x7e]+$/.test(text) ? text : {}
    case 'CAA': {
      const [, flags = '', tag, value] = /^(\d{1,3}) +([a-z0-9]{1,15}) +"?([\x20\x21\x23-\x7e]*?)"?$/i.exec(text) ?? []
      return tag !== undefined && Number(flags) <= 255 ? `${Number(flags)} ${tag.toLowerCase()} "${value}"` : {}
    }
  }
}

function withTarget(match: RegExpExecArray | null, zone: DomainName): string | Refused {
  const numbers = match?.[1]?.split(/ +/).map(Number) ?? []
  if (match === null || numbers.some(number => number > 65535)) return {}
  // RFC 7505 and RFC 2782: a single dot says that there is no such service.
  const target = match[2] === '.' ? '.' : canonicalTarget(match[2] ?? '', zone)
  return typeof target === 'string' ? [...numbers, target].join(' ') : target
}

/** Absolute names only; one label alone was meant below the zone, which the writer had better say. */
function canonicalTarget(text: string, zone: DomainName): string | Refused {
  const absolute = text.endsWith('.') ? text.slice(0, -1) : text
  if (!absolute.includes('.')) return { suggestion: `${absolute}.${zone}` }
  const name = parseDomainName(absolute)
  if (name !== undefined) return name
  return underscored(absolute)
}

/** Targets such as `s1._domainkey.mailer.example` have underscores, which names of hosts have not. */
function underscored(text: string): string | Refused {
  const lower = text.toLowerCase()
  const labels = lower.split('.')
  return lower.length <= 253 &&
    !/^\d+$/.test(labels.at(-1) ?? '') &&
    labels.every(label => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label))
    ? lower
    : {}
}
