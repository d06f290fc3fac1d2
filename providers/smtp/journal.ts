/**
 * Which notices a server surely took (250 after the dot), for one day and across restarts: one small file for each, named
 * by the notice. The file is made durable before the message leaves, and completed after the server took it, so that a
 * full disk shows up before and not after. Only a complete file counts. A crash between the server's 250 and the
 * completion lets the message go out once more, with the same Message-ID: at least once comes before at most once.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, dayMs, formatInstant, parseInstant } from '../../agent/core/clock.ts'
import { toReplyText } from '../../agent/standards/smtp-reply.ts'
import { type OutgoingNotice, ProviderFailure } from '../provider.ts'

/** A journal holds a day of notices; what else lies in the folder is not read without end. */
const recordsMax = 10_000
const forgetEveryMs = 3_600_000 // reading all of them beside each message would be too much

export type Journal = {
  /** True when this very notice was accepted within the last day. */
  wasAccepted(notice: OutgoingNotice): Promise<boolean>
  /** Makes room for the acceptance on the disk. @throws ProviderFailure */
  begin(notice: OutgoingNotice): Promise<Attempt>
}

export type Attempt = {
  /** @param reply what the server said. */
  accepted(reply: string): Promise<void>
  /** Not accepted, or nobody knows. Harmless after `accepted`. */
  close(): Promise<void>
}

/** The same id to another address, or of another event after the register began anew, is another notice. */
function identify({ id, at, to }: OutgoingNotice): string {
  return createHash('sha256')
    .update(JSON.stringify([id, at, to]))
    .digest('hex')
}

/** The server's words hold the id in its queue; an address in them has no place here. */
function toLine(reply: string): string {
  return toReplyText(reply).replaceAll(/\S*@\S*/g, '…')
}

/** `<identity> <instant> <reply>` and a line end; undefined for a file that is not complete. */
function parseRecord(text: string): { readonly identity: string; readonly at: number } | undefined {
  const parts = /^([0-9a-f]{64}) ([0-9TZ:.-]+) [^\n]*\n$/.exec(text)
  const at = parts === null ? undefined : parseInstant(parts[2] ?? '')
  return at === undefined ? undefined : { identity: parts?.[1] ?? '', at }
}

export function openJournal(folder: string, clock: Clock): Journal {
  // What this process knows counts even where the disk failed in the wrong moment.
  const known = new Map<string, number>()
  // A clock that was set back makes an acceptance lie ahead; by more than a day it says nothing.
  const isRecent = (at: number) => Math.abs(clock.now() - at) < dayMs

  let forgottenAt = Number.NEGATIVE_INFINITY

  async function read(name: string) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '')
    return parseRecord(text)
  }

  async function forgetOld(): Promise<void> {
    if (Math.abs(clock.now() - forgottenAt) < forgetEveryMs) return
    forgottenAt = clock.now()
    for (const [identity, at] of known) if (!isRecent(at)) known.delete(identity)
    const names = (await readdir(folder)).slice(0, recordsMax)
    for (const name of names) {
      const record = await read(name)
      if (record !== undefined && !isRecent(record.at)) await unlink(join(folder, name)).catch(() => {})
    }
  }

  return {
    async wasAccepted(notice) {
      const identity = identify(notice)
      const at = known.get(identity)
      if (at !== undefined && isRecent(at)) return true
      const record = await read(notice.id)
      return record !== undefined && record.identity === identity && isRecent(record.at)
    },

    async begin(notice) {
      const identity = identify(notice)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const file = await open(join(folder, notice.id), 'w', 0o600)
        await file.write(identity)
        await file.sync()
        const directory = await open(folder, 'r')
        await directory.sync().finally(() => directory.close())
        let isOpen = true
        return {
          async accepted(reply) {
            const at = clock.now()
            known.set(identity, at)
            // What can't be written now is remembered above: the message has left, and failing would send it again.
            await file.write(` ${formatInstant(at)} ${toLine(reply)}\n`).catch(() => {})
            await file.sync().catch(() => {})
            await forgetOld().catch(() => {})
          },
          async close() {
            if (isOpen) await file.close().catch(() => {})
            isOpen = false
          },
        }
      } catch (error) {
        throw new ProviderFailure('unreachable', `the journal of notices in ${folder} can’t be written`, {
          retry: 'later',
          cause: error,
        })
      }
    },
  }
}
