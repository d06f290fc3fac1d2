/**
 * Whether an abuse report counts (mission section 8): it can be forged to silence a hospital, so it is matched with our own
 * log first, and its source must be one that we trust and that proved itself to our own server. What does not count is
 * put on record, and nothing follows from it. Pure.
 */
import type { Instant } from '../core/clock.ts'
import { isAtOrBelow, parseDomainName } from '../model/name.ts'
import type { Message } from '../replay/messages.ts'
import type { AbuseReport } from '../standards/arf.ts'
import { parseAuthenticationResults } from '../standards/header.ts'

/** Three different messages within a day. */
export const reportsToAct = 3

/**
 * The trusted domain that a report proved to come from; null when it proved none. Only the topmost field of our own
 * server counts: what stands below it was there when the message came (RFC 8601 section 5).
 */
export function provenSource(
  { authentication }: Pick<AbuseReport, 'authentication'>,
  { authservId, reporters }: { readonly authservId: string; readonly reporters: readonly string[] },
): string | null {
  const ours = authentication
    .map(parseAuthenticationResults)
    .find(({ authserv }) => authserv === authservId.toLowerCase())
  for (const { method, result, properties } of ours?.results ?? []) {
    if (result !== 'pass') continue
    const named =
      method === 'dkim'
        ? (properties.get('header.d') ?? afterAt(properties.get('header.i')))
        : method === 'spf'
          ? afterAt(properties.get('smtp.mailfrom'))
          : undefined
    const domain = named === undefined ? undefined : parseDomainName(named)
    const trusted = domain === undefined ? undefined : reporters.find(reporter => isAtOrBelow(domain, reporter))
    if (trusted !== undefined) return trusted
  }
  return null
}

/** RFC 8601 lets SPF name the whole address or its domain. */
function afterAt(text: string | undefined): string | undefined {
  return text?.slice(text.lastIndexOf('@') + 1)
}

export type Match = { readonly message: Message; readonly by: 'message-id' | 'queue-id' }

/**
 * The message of ours that a report is about. A queue id alone is too little: short ones come again. The sender or a
 * recipient must be the logged one too. A signing domain alone matches nothing: everybody knows ours.
 * @param sent what the log has under those ids.
 */
export function matchOf(report: AbuseReport, sent: readonly Message[]): Match | null {
  const { messageId, queueIds } = report.original
  // A message that nobody was given could be complained about by nobody.
  const left = sent.filter(({ recipients }) => recipients.some(({ status }) => status === 'sent'))
  const named = left.find(one => messageId !== null && one.messageId === messageId)
  if (named !== undefined) return { message: named, by: 'message-id' }
  const queued = left.find(one => queueIds.includes(one.queue) && namesParty(report, one))
  return queued === undefined ? null : { message: queued, by: 'queue-id' }
}

function namesParty({ originalMailFrom, originalRcptTo }: AbuseReport, { sender, recipients }: Message): boolean {
  const same = (a: string, b: string | null) => a.toLowerCase() === b?.toLowerCase()
  return (
    (originalMailFrom !== null && same(originalMailFrom, sender)) ||
    originalRcptTo.some(recipient => recipients.some(({ address }) => same(recipient, address)))
  )
}

/** One that counted: of whom, about which message. */
export type Complaint = { readonly at: Instant; readonly account: string; readonly about: string }

/** How many messages of an account were complained about since; the same one by many is one. */
export function countComplaints(complaints: readonly Complaint[], account: string, since: Instant): number {
  return new Set(complaints.filter(one => one.account === account && one.at > since).map(({ about }) => about)).size
}
