/**
 * Whether a stranger may send mail to strangers through an smtpd: the walk that Postfix itself makes over its restriction
 * lists, for a client from anywhere without a login. SMTPD_ACCESS_README, postconf(5). Pure. Lists that look into a
 * table are taken for lists that say nothing, so what is found is open; what is not found may still be.
 */
import type { PostfixFinding } from './finding.ts'
import { type Settings, splitList } from './postconf.ts'

/** The lists at RCPT: only these name a recipient. */
export const atRecipient = ['smtpd_relay_restrictions', 'smtpd_recipient_restrictions'] as const
export const beforeRecipient = [
  'smtpd_client_restrictions',
  'smtpd_helo_restrictions',
  'smtpd_sender_restrictions',
  'smtpd_etrn_restrictions',
] as const

/** Mail from strangers to strangers is refused without asking anybody. */
export const relayChecks = new Set(['reject_unauth_destination', 'defer_unauth_destination', 'reject', 'defer'])
const refusals = new Set(['reject', 'defer'])

/** A wider network is not an operator's own; the widest that anybody was given alone is an IPv4 /8. */
const ownPrefixMin = { ipv4: 8, ipv6: 19 } as const
const wanted = 'your own networks alone, and reject_unauth_destination before every other permit'

export function examineRelay(settings: Settings): PostfixFinding[] {
  const wide = splitList(settings.value('mynetworks')).filter(isWide)
  const permits = (word: string) => word === 'permit' || (word === 'permit_mynetworks' && wide.length > 0)
  /** What lets a stranger past a list: a permit, or nothing that stops. */
  const way = (list: string, stops: ReadonlySet<string>): 'stopped' | 'end' | string => {
    for (const word of splitList(settings.value(list))) {
      if (permits(word)) return word
      if (stops.has(word)) return 'stopped'
    }
    return 'end'
  }
  if (beforeRecipient.some(list => list !== 'smtpd_etrn_restrictions' && way(list, refusals) === 'stopped')) return []
  const ways = atRecipient.map(list => [list, way(list, relayChecks)] as const)
  if (ways.some(([, how]) => how === 'stopped')) return []
  const [list, word] = ways.find(([, how]) => how !== 'end') ?? []
  // Without any check Postfix accepts no mail at all.
  if (list === undefined || word === undefined) return []
  const [parameter, found] = word === 'permit' ? [list, word] : ['mynetworks', wide.join(', ')]
  return [{ code: 'open-relay', parameter: settings.place(parameter), found, wanted }]
}

/** `0.0.0.0/0`, `[::]/0`, `0/0`. */
function isWide(word: string): boolean {
  const [, address = '', prefix] = /^\[?([0-9a-fA-F.:]+)\]?\/(\d+)$/.exec(word) ?? []
  if (prefix === undefined) return false
  return Number(prefix) < ownPrefixMin[address.includes(':') ? 'ipv6' : 'ipv4']
}
