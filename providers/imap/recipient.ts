/**
 * What a mail server says to a recipient on port 25 (RFC 5321): MAIL FROM, RCPT TO, RSET, QUIT. It never sends DATA, so no
 * message can come of it. The reply is reported, not judged.
 */
import { parseAddress } from '../../agent/model/name.ts'
import { type Limits, makeReady, shown, type Target, within } from './probe.ts'
import { isYes, openDialogue } from './smtp-dialogue.ts'

export type RecipientProbe = Omit<Target, 'tls'> &
  Limits & {
    /** Between mail servers nothing secret is said, so `none` is allowed to any host. */
    readonly tls: 'starttls' | 'none'
    readonly ehloName: string
    /** Empty for the null sender of a bounce. */
    readonly from: string
    readonly to: string
  }

export type RecipientResult =
  | {
      readonly result: 'answered'
      /** To which command: where the sender is refused, the recipient is not asked. */
      readonly stage: 'sender' | 'recipient'
      readonly code: number
      readonly text: string
    }
  | { readonly result: 'unreachable'; readonly detail: string }

export function probeRecipient(probe: RecipientProbe): Promise<RecipientResult> {
  const onError = (detail: string): RecipientResult => ({ result: 'unreachable', detail })
  return within({ limits: probe, onError, login: null }, async deadline => {
    const from = probe.from === '' ? '' : parseAddress(probe.from)
    const to = parseAddress(probe.to)
    if (from === undefined || to === undefined) throw new Error('the sender or the recipient is no address')
    const dialogue = await openDialogue(await makeReady(probe, deadline, 'nothing secret'), probe.ehloName)
    try {
      const sender = await dialogue.ask(`MAIL FROM:<${from}>`)
      if (!isYes(sender))
        return { result: 'answered', stage: 'sender', code: sender.code, text: shown(sender.text, null) }
      const { code, text } = await dialogue.ask(`RCPT TO:<${to}>`)
      if (code !== 421) await dialogue.ask('RSET').catch(() => {})
      return { result: 'answered', stage: 'recipient', code, text: shown(text, null) }
    } finally {
      dialogue.leave()
    }
  })
}
