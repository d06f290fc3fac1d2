/**
 * Notices as files: a message (RFC 5322, UTF-8, base64) for each that has an address, a printable letter for each that
 * has none. A notice that is sent again is the same file. Headers hold only addresses of our own grammar and encoded
 * words, so nothing in a name or subject can add one (K15).
 */
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { domainOf, parseAddress } from '../../agent/model/name.ts'
import { type Notifier, type OutgoingNotice, ProviderFailure } from '../provider.ts'

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/

/** RFC 2047 section 2: an encoded word has at most 75 characters; 39 octets make 52 of base64. */
const encodedOctetsMax = 39

function encodeWords(text: string): string {
  if (/^[\u0020-\u007e]*$/.test(text)) return text
  const words: string[] = []
  let part = ''
  for (const character of text) {
    if (Buffer.byteLength(part + character) > encodedOctetsMax) {
      words.push(part)
      part = ''
    }
    part += character
  }
  words.push(part)
  return words.map(word => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join('\r\n ')
}

/** RFC 5322 section 3.3, in UTC. */
function formatDate(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000')
}

export function formatMessage(notice: OutgoingNotice): string {
  const to = notice.to === null ? undefined : parseAddress(notice.to)
  const from = parseAddress(notice.from)
  if (to === undefined || from === undefined)
    throw new ProviderFailure('rejected', `${notice.id}: not an address`, { retry: 'never' })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go
  const subject = notice.subject.replace(/[\u0000-\u001f\u007f]/g, ' ')
  const body = Buffer.from(notice.text.replace(/\r?\n/g, '\r\n')).toString('base64').replace(/.{76}/g, '$&\r\n')
  return [
    `Date: ${formatDate(notice.at)}`,
    `From: <${from}>`,
    `To: <${to}>`,
    `Subject: ${encodeWords(subject)}`,
    `Message-ID: <${notice.id}@${domainOf(from)}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    body,
    '',
  ].join('\r\n')
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
      if (!idPattern.test(notice.id))
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
