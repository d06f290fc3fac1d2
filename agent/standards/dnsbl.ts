/** DNS blocklists (RFC 5782): the name that is asked for, and what an answer says. Pure. */
import { type Ip, parseIp } from '../model/ip.ts'

/** `error`: the list answered, and not about the subject. */
export type Listing = { readonly result: 'listed' | 'clear' | 'error'; readonly detail: string }

/** Section 2.1 and 2.4: octets or nibbles backwards; a domain as it is (section 2.3). */
export function listName(subject: string, zone: string): string {
  const ip = parseIp(subject)
  return `${ip === undefined ? subject : backwards(ip)}.${zone}`
}

function backwards(ip: Ip): string {
  if (typeof ip === 'number') return [0, 8, 16, 24].map(shift => (ip >>> shift) & 255).join('.')
  return [...ip.toString(16).padStart(32, '0')].toReversed().join('.')
}

/**
 * @param addresses the A records under that name; none for a name that is not there. Lists answer within 127/8; 127.0.0.1 is
 * never a listing (section 5), and 127.255.255.0/24 is how the great lists refuse: a wrong name, an open resolver, too many
 * questions. An address elsewhere is a name server that answers everything, as of a domain that lapsed.
 */
export function judgeAnswer(addresses: readonly string[]): Listing {
  const [first] = addresses
  if (first === undefined) return { result: 'clear', detail: '' }
  const detail = addresses.join(' ')
  const isError = (text: string) => !text.startsWith('127.') || text === '127.0.0.1' || text.startsWith('127.255.255.')
  // One refusal among answers makes all of them doubtful.
  return { result: addresses.some(isError) ? 'error' : 'listed', detail }
}

/** Section 5: what no list may list. One that does lists the world, and says nothing about anybody. */
export const neverListed = { addresses: '127.0.0.1', domains: 'invalid' } as const
