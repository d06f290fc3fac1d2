/**
 * SPF records (RFC 7208): parse, format, and count the look-ups that a receiver would make. Pure: whoever has the
 * records of other domains hands them in.
 */
import ipaddr from 'ipaddr.js'

export const lookUpsMax = 10 // RFC 7208 section 4.6.4: more is a permanent error, and mail is refused

export type Qualifier = '+' | '-' | '~' | '?'

export type Mechanism =
  | { readonly name: 'all' }
  | { readonly name: 'include' | 'exists'; readonly domain: string }
  | { readonly name: 'ptr'; readonly domain: string | null }
  | {
      readonly name: 'a' | 'mx'
      readonly domain: string | null
      readonly prefix4: number | null
      readonly prefix6: number | null
    }
  | { readonly name: 'ip4' | 'ip6'; readonly address: string; readonly prefix: number | null }

export type SpfTerm =
  | { readonly kind: 'directive'; readonly qualifier: Qualifier; readonly mechanism: Mechanism }
  | { readonly kind: 'modifier'; readonly name: string; readonly value: string }

export type SpfRecord = { readonly terms: readonly SpfTerm[] }

/** A directive with the qualifier that a reader expects at the end of a record. */
export function directive(mechanism: Mechanism, qualifier: Qualifier = '+'): SpfTerm {
  return { kind: 'directive', qualifier, mechanism }
}

function formatMechanism(mechanism: Mechanism): string {
  switch (mechanism.name) {
    case 'all':
      return 'all'
    case 'include':
    case 'exists':
      return `${mechanism.name}:${mechanism.domain}`
    case 'ptr':
      return mechanism.domain === null ? 'ptr' : `ptr:${mechanism.domain}`
    case 'a':
    case 'mx': {
      const domain = mechanism.domain === null ? '' : `:${mechanism.domain}`
      const prefix4 = mechanism.prefix4 === null ? '' : `/${mechanism.prefix4}`
      const prefix6 = mechanism.prefix6 === null ? '' : `//${mechanism.prefix6}`
      return `${mechanism.name}${domain}${prefix4}${prefix6}`
    }
    case 'ip4':
    case 'ip6':
      return `${mechanism.name}:${mechanism.address}${mechanism.prefix === null ? '' : `/${mechanism.prefix}`}`
  }
}

export function formatSpf(record: SpfRecord): string {
  const terms = record.terms.map(term => {
    if (term.kind === 'modifier') return `${term.name}=${term.value}`
    return `${term.qualifier === '+' ? '' : term.qualifier}${formatMechanism(term.mechanism)}`
  })
  return ['v=spf1', ...terms].join(' ')
}

// RFC 7208 section 7.1: macros, and visible characters but the percent sign.
const macroString = /^(?:[\x21-\x24\x26-\x7e]|%[%_-]|%\{[slodiphcrtv]\d*r?[.\-+,/_=]*\})*$/i
// A domain-spec ends in a label that is no number, or in a macro.
const domainEnd = /(?:\.(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?|%\{[^}]*\})$/i

function isDomainSpec(text: string): boolean {
  return macroString.test(text) && domainEnd.test(text)
}

function toPrefix(text: string | undefined, max: number): number | null | undefined {
  if (text === undefined) return null
  return /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= max ? Number(text) : undefined
}

function parseHostMechanism(name: 'a' | 'mx', rest: string): Mechanism | undefined {
  const parts = /^(?::(.+?))?(?:\/(\d+))?(?:\/\/(\d+))?$/.exec(rest)
  const prefix4 = toPrefix(parts?.[2], 32)
  const prefix6 = toPrefix(parts?.[3], 128)
  const domain = parts?.[1] ?? null
  if (parts === null || prefix4 === undefined || prefix6 === undefined) return undefined
  return domain === null || isDomainSpec(domain) ? { name, domain, prefix4, prefix6 } : undefined
}

function parseAddressMechanism(name: 'ip4' | 'ip6', rest: string): Mechanism | undefined {
  const parts = /^:([0-9a-f.:]+)(?:\/(\d+))?$/i.exec(rest)
  const prefix = toPrefix(parts?.[2], name === 'ip4' ? 32 : 128)
  const address = parts?.[1] ?? ''
  const valid =
    name === 'ip4' ? ipaddr.IPv4.isValidFourPartDecimal(address) : address.includes(':') && ipaddr.IPv6.isValid(address)
  return valid && prefix !== undefined ? { name, address, prefix } : undefined
}

function parseMechanism(text: string): Mechanism | undefined {
  const name = /^[a-z0-9]+/i.exec(text)?.[0]
  const rest = text.slice(name?.length ?? 0)
  const domain = rest.startsWith(':') && isDomainSpec(rest.slice(1)) ? rest.slice(1) : undefined
  switch (name?.toLowerCase()) {
    case 'all':
      return rest === '' ? { name: 'all' } : undefined
    case 'include':
      return domain === undefined ? undefined : { name: 'include', domain }
    case 'exists':
      return domain === undefined ? undefined : { name: 'exists', domain }
    case 'ptr':
      return rest === '' ? { name: 'ptr', domain: null } : domain === undefined ? undefined : { name: 'ptr', domain }
    case 'a':
      return parseHostMechanism('a', rest)
    case 'mx':
      return parseHostMechanism('mx', rest)
    case 'ip4':
      return parseAddressMechanism('ip4', rest)
    case 'ip6':
      return parseAddressMechanism('ip6', rest)
    default:
      return undefined
  }
}

function parseTerm(text: string): SpfTerm | undefined {
  const modifier = /^([a-z][a-z0-9_.-]*)=(.*)$/i.exec(text)
  if (modifier !== null) {
    const name = (modifier[1] ?? '').toLowerCase()
    const value = modifier[2] ?? ''
    const sound = name === 'redirect' || name === 'exp' ? isDomainSpec(value) : macroString.test(value)
    return sound ? { kind: 'modifier', name, value } : undefined
  }
  const qualifier = /^[+?~-]/.exec(text)?.[0] as Qualifier | undefined
  const mechanism = parseMechanism(qualifier === undefined ? text : text.slice(1))
  return mechanism === undefined ? undefined : directive(mechanism, qualifier)
}

/** @returns undefined when the text is no SPF record, or one with a syntax error, which receivers take for a failure. */
export function parseSpf(text: string): SpfRecord | undefined {
  const [version, ...rest] = text.split(/ +/)
  if (version?.toLowerCase() !== 'v=spf1') return undefined
  const terms = rest.filter(term => term !== '').map(parseTerm)
  if (!terms.every(term => term !== undefined)) return undefined
  for (const once of ['redirect', 'exp'])
    if (terms.filter(term => term.kind === 'modifier' && term.name === once).length > 1) return undefined
  return { terms }
}

/** The domain that a term sends the receiver to, whose record counts as well. */
function followedBy(term: SpfTerm): string | undefined {
  if (term.kind === 'modifier') return term.name === 'redirect' ? term.value : undefined
  return term.mechanism.name === 'include' ? term.mechanism.domain : undefined
}

function costs(term: SpfTerm, record: SpfRecord): boolean {
  if (term.kind === 'modifier') {
    // RFC 7208 section 6.1: with `all` in the record, redirect is passed over.
    const hasAll = record.terms.some(other => other.kind === 'directive' && other.mechanism.name === 'all')
    return term.name === 'redirect' && !hasAll
  }
  return ['include', 'exists', 'ptr', 'a', 'mx'].includes(term.mechanism.name)
}

/**
 * DNS look-ups that evaluation may make (RFC 7208 section 4.6.4), followed into the records that `recordOf` knows.
 * Stops counting beyond the limit, so records that include each other end as well.
 */
export function countLookUps(
  record: SpfRecord,
  recordOf: (domain: string) => SpfRecord | undefined = () => undefined,
): number {
  let count = 0
  const pending = [record]
  for (let next = pending.pop(); next !== undefined && count <= lookUpsMax; next = pending.pop()) {
    for (const term of next.terms) {
      if (!costs(term, next)) continue
      count += 1
      const domain = followedBy(term)
      const included = domain === undefined ? undefined : recordOf(domain.toLowerCase())
      if (included !== undefined) pending.push(included)
    }
  }
  return count
}

export type SpfFault = 'not-one-record' | 'syntax' | 'too-many-look-ups'

/** What a receiver would hold against the TXT values of a domain; null when nothing. */
export function checkSpf(
  values: readonly string[],
  recordOf?: (domain: string) => SpfRecord | undefined,
): SpfFault | null {
  const candidates = values.filter(value => /^v=spf1(?: |$)/i.test(value))
  // RFC 7208 section 4.5: two records are an error, and none leaves the domain open to forgery.
  if (candidates.length !== 1) return 'not-one-record'
  const record = parseSpf(candidates[0] ?? '')
  if (record === undefined) return 'syntax'
  return countLookUps(record, recordOf) > lookUpsMax ? 'too-many-look-ups' : null
}
