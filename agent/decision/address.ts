/**
 * Envelope addresses as a live decision sees them (RFC 5321 section 4.1.2, RFC 6531): read once, judged by form. What
 * another server could read in another way is `odd`: it is nobody's mailbox and belongs to no near place; its domain, as
 * far as it is legible, only ever speaks against it. Pure.
 */

import { type Ip, parseIp } from '../model/ip.ts'
import { type DomainName, parseDomainName, toUnicode } from '../model/name.ts'

export type EnvelopeAddress =
  | { readonly form: 'null' }
  /** A local part alone. */
  | { readonly form: 'bare'; readonly localpart: string }
  /** `localpart` in lower case, with its `+detail`. */
  | { readonly form: 'plain'; readonly localpart: string; readonly domain: DomainName }
  | { readonly form: 'literal'; readonly ip: Ip | undefined }
  | { readonly form: 'odd'; readonly domain: DomainName | null }

const addressLengthMax = 254 // RFC 5321 section 4.5.3.1.3, without the angle brackets
const localpartLengthMax = 64 // RFC 5321 section 4.5.3.1.1
// RFC 5321 dot-string but for `%` and `!`: Postfix rewrites user%host@here and host!user@here to another host.
const plainLocalpart = /^[a-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[a-z0-9#$&'*+/=?^_`{|}~-]+)*$/i
const quotedLocalpart = /^"((?:[^"\\]|\\.)*)"$/
// In a name with U-labels, IDNA tables and URL rules meet: anything that a URL could take for its end is refused.
const beyondAscii = /[\u0080-\uffff]/
const hostAsciiOnly = /^[a-z0-9.\-\u0080-\uffff]+$/i

// What nearly every address looks like, in canonical form already: the long way round would change nothing.
const simple = /^(?=[^@]{1,64}@)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*@(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+[a-z]{2,63}$/

/** Where the `@` of an address is that is in canonical form already; -1 where the long way round is needed to tell. */
export function simpleSign(text: string): number {
  return text.length <= addressLengthMax && simple.test(text) ? text.indexOf('@') : -1
}

export function parseEnvelopeAddress(text: string): EnvelopeAddress {
  const simple = simpleSign(text)
  if (simple >= 0)
    return { form: 'plain', localpart: text.slice(0, simple), domain: text.slice(simple + 1) as DomainName }
  if (text === '' || text === '<>') return { form: 'null' }
  const at = text.lastIndexOf('@')
  const localpart = toPlainLocalpart(at < 0 ? text : text.slice(0, at))
  if (at < 0) return localpart === undefined ? { form: 'odd', domain: null } : { form: 'bare', localpart }
  const host = text.slice(at + 1)
  if (host.startsWith('[')) {
    return localpart === undefined ? { form: 'odd', domain: null } : { form: 'literal', ip: parseLiteral(host) }
  }
  const domain = hostAsciiOnly.test(host) ? parseDomainName(host) : undefined
  if (domain === undefined || localpart === undefined || text.length > addressLengthMax || isLookAlike(host, domain)) {
    return { form: 'odd', domain: domain ?? null }
  }
  return { form: 'plain', localpart, domain }
}

/**
 * True for a name that IDNA only maps to this one: full-width letters, ligatures, invisible hyphens. Such a name is no
 * U-label (RFC 5890 section 2.3.2.1), and whether a mail server maps it the same way is that server's affair.
 */
function isLookAlike(host: string, domain: DomainName): boolean {
  if (!beyondAscii.test(host)) return false
  return toUnicode(domain) !== host.toLowerCase().normalize('NFC').replace(/\.$/, '')
}

/** Lower case, unquoted; undefined for one that is more than a dot-string. */
function toPlainLocalpart(text: string): string | undefined {
  // RFC 5321 section 4.1.2: "jperez"@x and jperez@x are one mailbox.
  const bare = text.startsWith('"') ? quotedLocalpart.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1') : text
  if (bare === undefined || bare.length > localpartLengthMax || !plainLocalpart.test(bare)) return undefined
  return bare.toLowerCase()
}

/** RFC 5321 section 4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`. */
function parseLiteral(host: string): Ip | undefined {
  if (!host.endsWith(']')) return undefined
  const inner = host.slice(1, -1)
  const isV6 = inner.slice(0, 5).toLowerCase() === 'ipv6:'
  const ip = parseIp(isV6 ? inner.slice(5) : inner)
  return isV6 || typeof ip === 'number' ? ip : undefined
}
