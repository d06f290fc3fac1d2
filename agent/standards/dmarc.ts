/** DMARC records (RFC 7489 section 6.3). Pure. */
import { formatTagList, parseTagList } from './dkim.ts'

export const dmarcPolicies = ['none', 'quarantine', 'reject'] as const
export type DmarcPolicy = (typeof dmarcPolicies)[number]

/** The record at `_dmarc.<domain>`. */
export type DmarcRecord = {
  readonly policy: DmarcPolicy
  /** null: as `policy`. */
  readonly subdomainPolicy: DmarcPolicy | null
  readonly dkimAlignment: 'relaxed' | 'strict'
  readonly spfAlignment: 'relaxed' | 'strict'
  /** 0 to 100. */
  readonly percent: number
  /** URIs of aggregate reports: `mailto:dmarc@operator.example`. */
  readonly aggregate: readonly string[]
  /** URIs of failure reports. */
  readonly failure: readonly string[]
}

/** The defaults of the standard, with a policy. */
export function dmarc(policy: DmarcPolicy, aggregate: readonly string[] = []): DmarcRecord {
  return {
    policy,
    subdomainPolicy: null,
    dkimAlignment: 'relaxed',
    spfAlignment: 'relaxed',
    percent: 100,
    aggregate,
    failure: [],
  }
}

/** A mail address as a reporting URI: commas, exclamation marks and the like must be coded (RFC 7489 section 6.2). */
export function reportUri(address: string): string {
  const coded = address.replace(/[^A-Za-z0-9@._+~-]/g, character => encodeURIComponent(character).replace('!', '%21'))
  return `mailto:${coded}`
}

/** Where the reports' domain must agree to get reports on `domain` (RFC 7489 section 7.1): TXT `v=DMARC1`. */
export function externalReportName(domain: string, reportDomain: string): string {
  return `${domain}._report._dmarc.${reportDomain}`
}

/** Tags with the standard's default value are left out. */
export function formatDmarc(record: DmarcRecord): string {
  const tags: [string, string][] = [
    ['v', 'DMARC1'],
    ['p', record.policy],
  ]
  if (record.subdomainPolicy !== null) tags.push(['sp', record.subdomainPolicy])
  if (record.dkimAlignment === 'strict') tags.push(['adkim', 's'])
  if (record.spfAlignment === 'strict') tags.push(['aspf', 's'])
  if (record.percent !== 100) tags.push(['pct', String(record.percent)])
  if (record.aggregate.length > 0) tags.push(['rua', record.aggregate.join(',')])
  if (record.failure.length > 0) tags.push(['ruf', record.failure.join(',')])
  return formatTagList(tags)
}

function toPolicy(text: string): DmarcPolicy | undefined {
  return dmarcPolicies.find(policy => policy === text.toLowerCase())
}

function toUris(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return []
  const uris = text.split(',').map(uri => uri.trim())
  return uris.every(uri => /^[a-z][a-z0-9+.-]*:[^\s,;]+$/i.test(uri)) ? uris : undefined
}

/** @returns undefined when the text is no DMARC record. Unknown tags are passed over, as the standard asks. */
export function parseDmarc(text: string): DmarcRecord | undefined {
  const tags = parseTagList(text)
  const order = [...(tags?.keys() ?? [])]
  // RFC 7489 section 6.3: v is first and p second.
  if (tags === undefined || tags.get('v') !== 'DMARC1' || order[0] !== 'v' || order[1] !== 'p') return undefined
  const policy = toPolicy(tags.get('p') ?? '')
  const subdomainPolicy = tags.has('sp') ? toPolicy(tags.get('sp') ?? '') : null
  const alignments = [tags.get('adkim') ?? 'r', tags.get('aspf') ?? 'r'].map(text => text.toLowerCase())
  const percent = tags.get('pct') ?? '100'
  const aggregate = toUris(tags.get('rua'))
  const failure = toUris(tags.get('ruf'))
  if (policy === undefined || subdomainPolicy === undefined || !/^\d{1,3}$/.test(percent)) return undefined
  if (aggregate === undefined || failure === undefined || Number(percent) > 100) return undefined
  if (!alignments.every(alignment => alignment === 'r' || alignment === 's')) return undefined
  return {
    policy,
    subdomainPolicy,
    dkimAlignment: alignments[0] === 's' ? 'strict' : 'relaxed',
    spfAlignment: alignments[1] === 's' ? 'strict' : 'relaxed',
    percent: Number(percent),
    aggregate,
    failure,
  }
}
