/**
 * Distinguished names: where the entries of the tree stand, and what stands at a name that the server gave. Pure.
 * RFC 4514 (DNs as text), RFC 2247 (dc), RFC 4524 (mail). It never builds a name out of unescaped text.
 *
 * `<root>,BASE` > `<domain>=DOMAIN` > `mail=ADDRESS`, or one step further below; the names are the profile's.
 */
import { ProviderFailure } from '../provider.ts'
import type { Naming } from './profiles.ts'

export type Tree = {
  readonly base: string
  readonly naming: Naming
  /** `ou=domains,BASE`. */
  readonly domains: string
  readonly domain: (name: string) => string
  /** Where a domain's accounts stand: itself, or a container below it. */
  readonly people: (name: string) => string
  readonly account: (address: string, domain: string) => string
  readonly place: (dn: string) => Place
}

/** What a name says of its entry. `other`: below a domain, in a form that is not ours. */
export type Place =
  | { readonly kind: 'outside' }
  | { readonly kind: 'domain'; readonly name: string }
  | { readonly kind: 'account'; readonly address: string; readonly domain: string }
  | { readonly kind: 'other'; readonly domain: string }

/** @throws ProviderFailure when the base is no DN. */
export function treeAt(base: string, naming: Naming): Tree {
  if (!splitDn(base).every(rdn => toRdn(rdn) !== undefined))
    throw new ProviderFailure('unsupported', `${JSON.stringify(base)} is no distinguished name`, { retry: 'never' })
  const domains = `${naming.root},${base}`
  const depth = splitDn(domains).length
  const domain = (name: string) => `${naming.domain}=${escapeValue(name)},${domains}`
  const people = (name: string) => (naming.below === undefined ? '' : `${naming.below.rdn},`) + domain(name)
  return {
    base,
    naming,
    domains,
    domain,
    people,
    account: (address, name) => `mail=${escapeValue(address)},${people(name)}`,
    place: dn => placeOf(splitDn(dn), depth, naming),
  }
}

/** Searches below the tree give nothing from elsewhere, so only what is above the tree has to be counted. */
function placeOf(rdns: readonly string[], depth: number, naming: Naming): Place {
  const top = toRdn(rdns[rdns.length - depth - 1] ?? '')
  if (top?.type !== naming.domain.toLowerCase()) return { kind: 'outside' }
  const domain = top.value.toLowerCase()
  if (rdns.length === depth + 1) return { kind: 'domain', name: domain }
  const between = rdns.slice(1, rdns.length - depth - 1)
  const first = toRdn(rdns[0] ?? '')
  if (first?.type !== 'mail' || !isBelow(between, naming)) return { kind: 'other', domain }
  const address = first.value.toLowerCase()
  // An address that stands in a domain not its own is nobody's account there.
  return address.endsWith(`@${domain}`) ? { kind: 'account', address, domain } : { kind: 'other', domain }
}

/** @param between what stands between a domain and an entry. */
function isBelow(between: readonly string[], { below }: Naming): boolean {
  const plain = (rdn: string | undefined) => {
    const read = toRdn(rdn ?? '')
    return read === undefined ? '' : `${read.type}=${read.value}`.toLowerCase()
  }
  return below === undefined ? between.length === 0 : between.length === 1 && plain(between[0]) === plain(below.rdn)
}

/** Whatever is not plain goes as hex pairs, which no reader of RFC 4514 takes for anything else. */
function escapeValue(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9@._-]/gu, character =>
    [...Buffer.from(character)].map(byte => `\\${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}

/** For comparing names whose attributes ignore case, as those of agents and suffixes do. */
export function compactDn(dn: string): string {
  return dn.toLowerCase().replaceAll(/\s*([,=])\s*/g, '$1')
}

/** At the commas that are not escaped. */
export function splitDn(dn: string): string[] {
  return dn.match(/(?:\\.|[^\\,])+/gs) ?? []
}

/** Undefined for a name of several attributes, which we never make. */
function toRdn(rdn: string): { readonly type: string; readonly value: string } | undefined {
  const match = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*((?:\\.|[^\\+])*)$/s.exec(rdn)
  return match?.[1] === undefined ? undefined : { type: match[1].toLowerCase(), value: unescapeValue(match[2] ?? '') }
}

function unescapeValue(text: string): string {
  const bytes: Buffer[] = []
  for (const [part] of text.trimEnd().matchAll(/\\[0-9A-Fa-f]{2}|\\.|[^\\]+/gs)) {
    const hex = /^\\([0-9A-Fa-f]{2})$/.exec(part)?.[1]
    bytes.push(hex === undefined ? Buffer.from(part.startsWith('\\') ? part.slice(1) : part) : Buffer.from(hex, 'hex'))
  }
  return Buffer.concat(bytes).toString('utf8')
}
