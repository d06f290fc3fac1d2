/**
 * Notices as files: a message (RFC 5322, see `standards/message.ts`) for each that has an address, a printable letter
 * for each that has none. A notice that is sent again is the same file.
 */
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseAddress } from '../../agent/model/name.ts'
import { formatPlainMessage, isMessageId } from '../../agent/standards/message.ts'
import { type Notifier, type OutgoingNotice, ProviderFailure } from '../provider.ts'

export function formatMessage(notice: OutgoingNotice): string {
  const to = notice.to === null ? undefined : parseAddress(notice.to)
  const from = parseAddress(notice.from)
  if (to === undefined || from === undefined)
    throw new ProviderFailure('rejected', `${notice.id}: not an address`, { retry: 'never' })
  return formatPlainMessage({ ...notice, from, to })
}

async function writeDurably(file: string, text: string): Promise<void> {
  const aside = `${file}.part`
  const handle = await open(aside, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(aside, file)
  // The name is only on disk when the folder is: a notice that is on record as sent must be there after a power cut.
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export function openSpool(options: { readonly folder: string }): Notifier {
  return {
    async send(notice) {
      if (!isMessageId(notice.id))
        throw new ProviderFailure('rejected', `no file name: ${notice.id}`, { retry: 'never' })
      try {
        const letters = join(options.folder, 'letters')
        await mkdir(letters, { recursive: true, mode: 0o700 })
        if (notice.to === null)
          await writeDurably(join(letters, `${notice.id}.txt`), `${notice.subject}\n\n${notice.text}`)
        else await writeDurably(join(options.folder, `${notice.id}.eml`), formatMessage(notice))
      } catch (error) {
        if (error instanceof ProviderFailure) throw error
        throw new ProviderFailure('unreachable', `the outbox ${options.folder} can’t be written`, {
          retry: 'later',
          cause: error,
        })
      }
    },
  }
}
