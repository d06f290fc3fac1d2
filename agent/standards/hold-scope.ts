/**
 * Whether an address, as a mail server prints it, belongs to the scope of a hold. RFC 5321 sections 2.3.11 and 4.1.2:
 * whole domains only, in any case, a quoted local part is the same mailbox as the plain one. Pure.
 */
import type { HoldScope } from '../model/incident.ts'
import { type Address, domainOf, localpartOf, parseDomainName } from '../model/name.ts'

/** `hcg.sld.cu` or `jperez@hcg.sld.cu`; the two never look alike. */
export function formatHoldScope(scope: HoldScope): string {
  return scope.account ?? scope.domain
}

export function parseHoldScope(text: string): HoldScope {
  return text.includes('@')
    ? { domain: domainOf(text as Address), account: text as Address }
    : { domain: text as HoldScope['domain'], account: null }
}

/**
 * A test for one scope. An account is meant with any `+detail`, which managed accounts drop (contract section 5). A text
 * without a domain, such as the `MAILER-DAEMON` of a bounce, belongs to no scope.
 */
export function scopeTest(scope: HoldScope): (address: string) => boolean {
  const { domain } = scope
  const localpart = scope.account === null ? null : localpartOf(scope.account)
  return address => {
    const at = address.lastIndexOf('@')
    if (at < 0 || !isDomain(address.slice(at + 1), domain)) return false
    return localpart === null || plainLocalpart(address.slice(0, at)) === localpart
  }
}

function isDomain(text: string, domain: string): boolean {
  const lower = text.toLowerCase()
  return lower === domain || parseDomainName(lower) === domain
}

function plainLocalpart(text: string): string {
  const quoted = /^"(.*)"$/s.exec(text)?.[1]
  const bare = quoted === undefined ? text : quoted.replaceAll(/\\(.)/gs, '$1')
  const plus = bare.indexOf('+', 1)
  return (plus < 0 ? bare : bare.slice(0, plus)).toLowerCase()
}
