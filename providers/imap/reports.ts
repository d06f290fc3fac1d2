/**
 * The mailbox that abuse reports come to (RFC 9051). It is read, never emptied: people read it too. What was read carries a
 * keyword, set only when the caller says so, so that a cut in between reads again and loses nothing.
 */
import type { Login } from '../../agent/standards/mail-login.ts'
import { ProviderFailure, type ReportMailbox } from '../provider.ts'
import { createClient } from './imap.ts'
import { makeReady, shown, type Target } from './probe.ts'

/** RFC 9051 section 2.3.2: a keyword of our own. */
const keyword = '$MailwardenRead'
/** In one session; a flood is read in several. */
const messagesMax = 50
const sessionMs = 60_000

/** @throws ProviderFailure in plain words when the mailbox can't be read. */
export function reportMailbox(target: Target & { readonly folder: string }, login: () => Login): ReportMailbox {
  return {
    async read(octetsMax, take, signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(sessionMs)])
      const known = login()
      const client = createClient(await makeReady(target, deadline), known, 'session')
      try {
        await client.connect()
        const box = await client.mailboxOpen(target.folder)
        // Without it every message would be read again for ever.
        if (!box.permanentFlags?.has('\\*') && !box.permanentFlags?.has(keyword))
          throw new Error(`${target.folder} keeps no keywords`)
        const unread = await client.search({ unKeyword: keyword, deleted: false }, { uid: true })
        const uids = unread === false || unread === undefined ? [] : unread.slice(0, messagesMax)
        const messages: Buffer[] = []
        for (const uid of uids) {
          const query = { source: { start: 0, maxLength: octetsMax } }
          const fetched = await client.fetchOne(String(uid), query, { uid: true })
          messages.push(fetched === false ? Buffer.alloc(0) : (fetched.source ?? Buffer.alloc(0)))
        }
        if (uids.length > 0) {
          await take(messages)
          await client.messageFlagsAdd(uids.join(','), [keyword], { uid: true })
        }
        await client.logout().catch(() => {})
        return { count: uids.length, more: unread !== false && (unread?.length ?? 0) > uids.length }
      } catch (error) {
        const words = shown(error instanceof Error ? error.message : String(error), known)
        throw new ProviderFailure('unreachable', `the mailbox of abuse reports: ${words}`, {
          retry: 'later',
          cause: error,
        })
      } finally {
        client.close()
      }
    },
  }
}
