/** Domains and mailboxes in the directory of the real servers, all with one password; and a look into a mailbox by IMAP. */
import { randomBytes } from 'node:crypto'
import { ImapFlow } from 'imapflow'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change } from '../../agent/model/change.ts'
import { type DirectoryAccount, type DirectoryDomain, formatRef, refOf } from '../../agent/model/resource.ts'
import { order } from '../../agent/plan/order.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { account as sample } from '../conformance/samples.ts'
import type { MailServers } from './mail-servers.ts'

type DirectoryResource = DirectoryDomain | DirectoryAccount

/** Whose logins are accepted from anywhere. */
export function account(address: string, over: Partial<DirectoryAccount> = {}): DirectoryAccount {
  return sample(address, { allowNets: null, ...over })
}

export type Mailboxes = AsyncDisposable & {
  readonly password: string
  /** Creates what is not there and changes what is; gives accounts that are new their password. */
  put(resources: readonly DirectoryResource[]): Promise<void>
  /** Every message of the inbox, whole, in the order of arrival. */
  read(user: string): Promise<string[]>
}

const never = new AbortController().signal

export async function openMailboxes(servers: MailServers): Promise<Mailboxes> {
  const directory = await openEmbeddedDirectory({ file: servers.directoryFile, clock: systemClock })
  const password = generatePassword(randomBytes).reveal()
  const hash = await hashPassword(new Secret(password))
  return {
    password,

    async put(resources) {
      const found = new Map(
        (await directory.observe('all', never)).map(({ resource }) => [formatRef(refOf(resource)), resource]),
      )
      const cause = { why: 'manifest', source: null } as const
      const changes = resources.map((after): Change<DirectoryResource> => {
        const ref = refOf(after)
        const before = found.get(formatRef(ref))
        return before === undefined
          ? { action: 'create', ref, before: null, after, ...cause }
          : { action: 'update', ref, before, after, ...cause }
      })
      const marked = (order(changes) as Change<DirectoryResource>[]).map(change => ({
        change,
        mark: markOf('servers', change.ref),
      }))
      for await (const outcome of directory.apply(marked, never))
        if (outcome.result !== 'applied') throw new Error(JSON.stringify(outcome))
      for (const { action, after } of changes)
        if (action === 'create' && after?.kind === 'account')
          await directory.setCredential(after.address, hash, 1_700_000_000_000)
    },

    async read(user) {
      const client = new ImapFlow({
        host: '127.0.0.1',
        port: servers.ports.imap,
        secure: false,
        doSTARTTLS: false,
        auth: { user, pass: password },
        logger: false,
      })
      client.on('error', () => {})
      await client.connect()
      try {
        await client.mailboxOpen('INBOX')
        const messages: string[] = []
        for await (const { source } of client.fetch('1:*', { source: true }))
          messages.push(source?.toString('latin1') ?? '')
        return messages
      } finally {
        await client.logout()
      }
    },

    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}
