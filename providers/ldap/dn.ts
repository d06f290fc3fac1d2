/**
 * Distinguished names: where the entries of the tree stand, and what stands at a name that the server gave. Pure.
 * RFC 4514 (DNs as text), RFC 2247 (dc), RFC 4524 (mail). It never builds a name out of unescaped text.
 *
 * `ou=domains,BASE` > `dc=DOMAIN` > `mail=ADDRESS`.
 */
import { ProviderFailure } from '../provider.ts'

export type Tree = {
  readonly base: string
  /** `ou=domains,BASE`. */
  readonly domains: string
  readonly domain: (name: string) => string
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
export function treeAt(base: string): Tree {
  if (!splitDn(base).every(rdn => toRdn(rdn) !== undefined))
    throw new ProviderFailure('unsupported', `${JSON.stringify(base)} is no distinguished name`, { retry: 'never' })
  const domains = `ou=domains,${base}`
  const depth = splitDn(domains).length
  const domain = (name: string) => `dc=${escapeValue(name)},${domains}`
  return {
    base,
    domains,
    domain,
    account: (address, name) => `mail=${escapeValue(address)},${domain(name)}`,
    place: dn => placeOf(splitDn(dn), depth),
  }
}

/** Searches below the tree give nothing from elsewhere, so only what is above the tree has to be counted. */
function placeOf(rdns: readonly string[], depth: number): Place {
  const top = toRdn(rdns[rdns.length - depth - 1] ?? '')
  if (top?.type !== 'dc') return { kind: 'outside' }
  const domain = top.value.toLowerCase()
  if (rdns.length === depth + 1) return { kind: 'domain', name: domain }
  const first = toRdn(rdns[0] ?? '')
  if (rdns.length !== depth + 2 || first?.type !== 'mail') return { kind: 'other', domain }
  const address = first.value.toLowerCase()
  // An address that stands in a domain not its own is nobody's account there.
  return address.endsWith(`@${domain}`) ? { kind: 'account', address, domain } : { kind: 'other', domain }
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
