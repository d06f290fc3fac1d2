/**
 * Names of mail, parsed once and then carried as branded canonical text: A-labels, lower case, no final dot.
 * RFC 1035 (lengths), RFC 5321 section 4.1.2 (mailboxes), RFC 5890 (A-labels). No I/O.
 */
import { domainToASCII, domainToUnicode } from 'node:url'

declare const domainNameBrand: unique symbol
declare const addressBrand: unique symbol

/** A domain name of at least one label: `hcg.sld.cu`, `xn--caja-9qa.cu`. */
export type DomainName = string & { readonly [domainNameBrand]: true }
/** A mailbox `localpart@domain`, local part in lower case, without `+detail`. */
export type Address = string & { readonly [addressBrand]: true }

const domainLengthMax = 253 // RFC 1035 section 2.3.4: 255 octets on the wire
const localpartLengthMax = 64 // RFC 5321 section 4.5.3.1.1
// Underscores are allowed in owner names of DNS (RFC 8552), never in mail domains.
const ldhLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/
const ownerLabel = /^(?:\*|(?!-)[a-z0-9_-]{1,63}(?<!-))$/
const wideDots = /[\u3002\uff0e\uff61]/ // ideographic and half-width dots that IDNA would turn into label separators

/** Canonical domain name, or undefined when the text is none. U-labels are accepted and turned into A-labels. */
export function parseDomainName(text: string): DomainName | undefined {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text
  if (bare.length === 0 || bare.length > domainLengthMax * 4 || wideDots.test(bare)) return undefined
  let ascii = bare.toLowerCase()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test is for plain ASCII
  if (!/^[\x00-\x7f]*$/.test(bare)) {
    ascii = domainToASCII(bare.normalize('NFC'))
    if (ascii === '') return undefined
  }
  if (ascii.length > domainLengthMax) return undefined
  const labels = ascii.split('.')
  if (!labels.every(label => ldhLabel.test(label))) return undefined
  // A name of digits only at the end is an address, not a domain (RFC 3696 section 2).
  if (/^\d+$/.test(labels.at(-1) ?? '')) return undefined
  return ascii as DomainName
}

/** Owner name below a zone, with underscores and a leading `*` allowed; `@` is the apex. Canonical, absolute, no final dot. */
export function parseOwnerName(text: string, zone: DomainName): string | undefined {
  if (text === '@') return zone
  const lower = text.toLowerCase()
  const absolute = lower.endsWith('.') ? lower.slice(0, -1) : `${lower}.${zone}`
  if (absolute !== zone && !absolute.endsWith(`.${zone}`)) return undefined
  if (absolute.length > domainLengthMax) return undefined
  const labels = absolute.split('.')
  const wellPlaced = labels.every((label, index) => (label === '*' ? index === 0 : ownerLabel.test(label)))
  return wellPlaced ? absolute : undefined
}

/** A local part as manifests may write it: the unquoted form only, so that no two spellings mean one mailbox. */
export function parseLocalpart(text: string): string | undefined {
  if (text.length === 0 || text.length > localpartLengthMax) return undefined
  return /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(text) && !text.includes('..') ? text : undefined
}

export function toAddress(localpart: string, domain: DomainName): Address {
  return `${localpart}@${domain}` as Address
}

/** An address outside or inside: `name@domain`, plain form, at most 254 octets (RFC 5321 section 4.5.3.1.3). */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 254) return undefined
  const at = text.lastIndexOf('@')
  if (at < 1) return undefined
  const localpart = text.slice(0, at)
  const domain = parseDomainName(text.slice(at + 1))
  if (domain === undefined || localpart.length > localpartLengthMax) return undefined
  if (!/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i.test(localpart)) return undefined
  return `${localpart.toLowerCase()}@${domain}` as Address
}

export function domainOf(address: Address): DomainName {
  return address.slice(address.lastIndexOf('@') + 1) as DomainName
}

export function localpartOf(address: Address): string {
  return address.slice(0, address.lastIndexOf('@'))
}

/** True when the last labels of `name` are `suffix`: whole labels only, so `x.cult` is not below `cu`. */
export function isAtOrBelow(name: string, suffix: string): boolean {
  return name === suffix || name.endsWith(`.${suffix}`)
}

/** For display only. */
export function toUnicode(domain: DomainName): string {
  return domainToUnicode(domain)
}
