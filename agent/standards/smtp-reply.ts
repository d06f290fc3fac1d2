/**
 * SMTP replies: reply code, enhanced status code, text (RFC 5321 section 4.2, RFC 3463). Formats only refusals, for now
 * or for good; there is no way to write a reply that permits. No I/O.
 */
import { assert } from '../core/assert.ts'

/** The refusals that live decisions use. 421 and 521 are not among them: they would end the whole session. */
export const refusals = {
  /** RFC 3463 X.2.1: mailbox disabled, not accepting messages; temporary. */
  mailboxDeferred: { code: 450, status: '4.2.1' },
  /** RFC 3463 X.7.1: delivery not authorised; temporary. */
  policyDeferred: { code: 450, status: '4.7.1' },
  /** RFC 3463 X.1.1: bad destination mailbox address. */
  mailboxUnknown: { code: 550, status: '5.1.1' },
  /** RFC 3463 X.1.6: the mailbox has moved, no forwarding address. */
  mailboxGone: { code: 550, status: '5.1.6' },
  /** RFC 3463 X.2.1: mailbox disabled, not accepting messages. */
  mailboxDisabled: { code: 550, status: '5.2.1' },
  /** RFC 3463 X.7.1: delivery not authorised, message refused. */
  policyRefused: { code: 550, status: '5.7.1' },
} as const satisfies Record<string, { code: number; status: string }>
export type Refusal = keyof typeof refusals

// RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets; Postfix puts the recipient before our text.
const textLengthMax = 240
const printable = /^[\x20-\x7e]*$/

/**
 * Text as a reply may carry it without SMTPUTF8: printable US-ASCII on one line. Accents are dropped, everything else
 * that does not fit becomes `?`, so that a name from outside can neither end the line nor start another attribute.
 */
export function toReplyText(text: string): string {
  const short = text.slice(0, textLengthMax * 4)
  const plain = printable.test(short)
    ? short
    : short
        .normalize('NFD')
        .replaceAll(/\p{M}/gu, '')
        .replaceAll(/[^\x20-\x7e]+/g, '?')
  return plain.replaceAll(/ {2,}/g, ' ').trim().slice(0, textLengthMax)
}

/** `550 5.7.1 text`. An empty text is a bug: people would be refused without a word. */
export function formatReply(refusal: Refusal, text: string): string {
  const { code, status } = refusals[refusal]
  const shown = toReplyText(text)
  assert(shown !== '', 'a refusal has a text')
  return `${code} ${status} ${shown}`
}
