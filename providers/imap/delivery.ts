/**
 * Whether mail arrives: submits one message with a random token and waits for that very message in the inbox, then deletes
 * it and nothing else. A message that comes after the time is over stays; its Message-ID begins with `probe-`.
 */
import { randomBytes } from 'node:crypto'
import type { ImapFlow } from 'imapflow'
import type { Clock } from '../../agent/core/clock.ts'
import { domainOf, parseAddress } from '../../agent/model/name.ts'
import { isLogin } from '../../agent/standards/mail-login.ts'
import { formatPlainMessage } from '../../agent/standards/message.ts'
import { createClient } from './imap.ts'
import { type Limits, type LoginTarget, makeReady, type Ready, shown, within } from './probe.ts'
import { formatReply, isYes, openDialogue } from './smtp-dialogue.ts'

const tokenOctets = 16
const pollMs = 250 // a delivery takes about 100 ms on an idle server; a NOOP costs nothing

export type DeliveryProbe = Limits & {
  readonly submission: LoginTarget
  /** Where the mailbox of `to` is read. */
  readonly mailbox: LoginTarget
  readonly from: string
  readonly to: string
  /** How we present ourselves: a name of this machine. */
  readonly ehloName: string
  readonly clock: Clock
}

/**
 * `delivered`: it was read. `refused`: the server said no to the message, for now or for good. `missing`: it was taken, and did not arrive in
 * time. `unreachable`: nothing was submitted, or nobody knows whether it was.
 */
export type DeliveryResult =
  | { readonly result: 'delivered'; readonly tookMs: number; readonly isDeleted: boolean }
  | { readonly result: 'refused' | 'missing' | 'unreachable'; readonly detail: string }

export async function probeDelivery(probe: DeliveryProbe): Promise<DeliveryResult> {
  const { submission, mailbox, clock } = probe
  let taken: string | null = null
  const onError = (words: string): DeliveryResult =>
    taken === null
      ? { result: 'unreachable', detail: words }
      : { result: 'missing', detail: `taken (${taken}), then: ${words}` }
  return within({ limits: probe, onError, login: submission }, async deadline => {
    const [from, to] = [parseAddress(probe.from), parseAddress(probe.to)]
    if (from === undefined || to === undefined) throw new Error('the sender or the recipient is no address')
    if (!isLogin(submission) || !isLogin(mailbox)) throw new Error('a user or password that a login can’t carry')
    const id = `probe-${randomBytes(tokenOctets).toString('hex')}`
    const message = formatPlainMessage({ id, from, to, toName: '', subject: id, text: `${id}\n`, at: clock.now() })
    // The mailbox first: a message that nobody can look for is not sent.
    const client = createClient(await makeReady(mailbox, deadline), mailbox, 'session')
    try {
      await client.connect()
      await client.mailboxOpen('INBOX')
      const submitted = await submit(await makeReady(submission, deadline), probe, { from, to, message })
      if (!submitted.isTaken) return { result: 'refused', detail: submitted.reply }
      taken = submitted.reply
      const began = clock.now()
      const uid = await findMessage(client, `<${id}@${domainOf(from)}>`, { clock, deadline })
      const tookMs = clock.now() - began
      const isDeleted = await client.messageDelete(String(uid), { uid: true }).catch(() => false)
      await client.logout().catch(() => {})
      return { result: 'delivered', tookMs, isDeleted }
    } catch (error) {
      throw new Error(shown(error instanceof Error ? error.message : String(error), mailbox), { cause: error })
    } finally {
      client.close()
    }
  })
}

type Letter = { readonly from: string; readonly to: string; readonly message: string }

async function submit(
  ready: Ready,
  { submission, ehloName }: DeliveryProbe,
  { from, to, message }: Letter,
): Promise<{ readonly isTaken: boolean; readonly reply: string }> {
  const dialogue = await openDialogue(ready, ehloName)
  try {
    const login = await dialogue.login(submission)
    if (login === undefined) throw new Error('the server offers no AUTH PLAIN')
    if (!isYes(login)) throw new Error(formatReply(login))
    for (const command of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) {
      const reply = await dialogue.ask(command)
      if (!isYes(reply)) return { isTaken: false, reply: shown(formatReply(reply), submission) }
    }
    const go = await dialogue.ask('DATA')
    const reply = go.code === 354 ? await dialogue.sendText(message) : go
    return { isTaken: isYes(reply), reply: shown(formatReply(reply), submission) }
  } finally {
    dialogue.leave()
  }
}

/** The uid of the message, when it is there. Ends with the deadline. */
async function findMessage(
  client: ImapFlow,
  messageId: string,
  { clock, deadline }: { readonly clock: Clock; readonly deadline: AbortSignal },
): Promise<number> {
  while (true) {
    const found = await client.search({ header: { 'message-id': messageId } }, { uid: true })
    const uid = found ? found[0] : undefined
    if (uid !== undefined) return uid
    deadline.throwIfAborted()
    await clock.sleep(pollMs, deadline)
    await client.noop()
  }
}
