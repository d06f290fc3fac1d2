/**
 * The file of a `deny = yes` passdb with `username_format=%d`, before all other passdbs: one line there closes IMAP, POP and
 * SMTP AUTH for a whole domain, without a flush and without the directory. Our lines carry a mark in a field that Dovecot
 * does not use; lines of others and comments stay as they are. It never removes the file: without it Dovecot 2.3 lets
 * everyone through.
 */
import { chmod, type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../../agent/core/clock.ts'
import { type DomainName, parseDomainName } from '../../agent/model/name.ts'
import { type DomainLogins, ProviderFailure } from '../provider.ts'

export interface DenyFile extends DomainLogins {
  readonly target: string
  /** The domains that our lines close, sorted. @throws ProviderFailure */
  closed(): Promise<readonly DomainName[]>
  /** Safe to repeat; gives what is closed afterwards. In force within two seconds, since Dovecot looks once a second. */
  close(domains: readonly DomainName[]): Promise<readonly DomainName[]>
  /** Takes away our lines only: a domain that somebody else closed stays closed. */
  open(domains: readonly DomainName[]): Promise<readonly DomainName[]>
}

/** passwd(5)-like: name, password, uid, gid, gecos. The password is never asked for, and gecos is ours. */
const ourMark = 'mailwarden'
const lineOf = (domain: DomainName) => `${domain}::::${ourMark}::`

/** 100,000 domains at their longest would be ten times as much; Dovecot holds all of it in memory. */
const bytesMax = 4 * 1024 * 1024
/** Somebody who edits by hand is done between two tries. */
const triesMax = 5

export function openDenyFile({ file, clock }: { readonly file: string; readonly clock: Clock }): DenyFile {
  // One edit after the other, or the second would write over the first.
  let last: Promise<unknown> = Promise.resolve()
  function edit(change: (closed: ReadonlySet<DomainName>) => ReadonlySet<DomainName>): Promise<readonly DomainName[]> {
    const mine = last.then(() => guarded(file, () => rewrite(file, clock, change)))
    last = mine.catch(() => {})
    return mine
  }
  return {
    target: file,
    closed: () => guarded(file, async () => ourDomains((await readWhole(file)).text)),
    close: domains => edit(closed => closed.union(new Set(domains))),
    open: domains => edit(closed => closed.difference(new Set(domains))),
  }
}

type Change = (closed: ReadonlySet<DomainName>) => ReadonlySet<DomainName>
type Whole = { readonly text: string; readonly stamp: string; readonly modifiedAtMs: number }

async function rewrite(file: string, clock: Clock, change: Change): Promise<readonly DomainName[]> {
  for (let attempt = 1; attempt <= triesMax; attempt += 1) {
    const before = await readWhole(file)
    const closed = ourDomains(before.text)
    const wanted = [...change(new Set(closed))].sort()
    if (wanted.length === closed.length && wanted.every((domain, index) => domain === closed[index])) return closed
    const aside = await writeAside(file, replaceOurs(before.text, wanted), nextSecond(before, clock))
    // Whoever saved the file meanwhile keeps what they wrote: read again and begin anew.
    if ((await stampOf(file)) === before.stamp) {
      await rename(aside, file)
      await syncFolder(file)
      return wanted
    }
    await rm(aside, { force: true })
  }
  throw new ProviderFailure('conflict', `${file} changes faster than it can be edited`, { retry: 'later' })
}

/** Lines of others and comments first, as they stood; then ours. */
function replaceOurs(text: string, domains: readonly DomainName[]): string {
  const others = text.split('\n').filter(line => line !== '' && ourDomain(line) === undefined)
  return [...others, ...domains.map(lineOf), ''].join('\n')
}

function ourDomains(text: string): DomainName[] {
  return [...new Set(text.split('\n').flatMap(line => ourDomain(line) ?? []))].sort()
}

function ourDomain(line: string): DomainName | undefined {
  const [name = '', , , , mark] = line.split(':')
  return mark === ourMark ? parseDomainName(name) : undefined
}

/**
 * Dovecot reads the file again when its size or the whole second of its time differs: two edits of equal size within one
 * second would leave it with the first. So every edit takes a second of its own.
 */
function nextSecond({ modifiedAtMs }: Whole, clock: Clock): number {
  return Math.max(Math.floor(clock.now() / 1000), Math.floor(modifiedAtMs / 1000) + 1)
}

async function readWhole(file: string): Promise<Whole> {
  const handle = await open(file, 'r')
  try {
    const { size, mtimeMs, mtimeNs, ino } = await bigStat(handle)
    if (size > bytesMax) throw new ProviderFailure('malformed-reply', `${file} is far too long`, { retry: 'never' })
    return { text: await handle.readFile('utf8'), stamp: `${ino} ${size} ${mtimeNs}`, modifiedAtMs: Number(mtimeMs) }
  } finally {
    await handle.close()
  }
}

const bigStat = (handle: FileHandle) => handle.stat({ bigint: true })

async function stampOf(file: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(file, { bigint: true })
  return `${ino} ${size} ${mtimeNs}`
}

async function writeAside(file: string, text: string, second: number): Promise<string> {
  const aside = `${file}.mailwarden`
  await rm(aside, { force: true })
  // Exclusive: a link that somebody laid there is not followed.
  const handle = await open(aside, 'wx', 0o644)
  try {
    await handle.writeFile(text)
    await handle.utimes(second, second)
    await handle.sync()
  } finally {
    await handle.close()
  }
  // Dovecot's auth process is not root, whatever our umask is.
  await chmod(aside, 0o644)
  return aside
}

async function syncFolder(file: string): Promise<void> {
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function guarded<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ProviderFailure) throw cause
    const { code } = cause as NodeJS.ErrnoException
    // To make it anew is the operator's to do, at the place that dovecot.conf names.
    if (code === 'ENOENT')
      throw new ProviderFailure('unsupported', `${file} is not there, so Dovecot denies nobody`, {
        retry: 'later',
        cause,
      })
    const kind = code === 'EACCES' || code === 'EPERM' ? 'unauthorized' : 'unreachable'
    throw new ProviderFailure(kind, `${file} cannot be read or written`, { retry: 'later', cause })
  }
}
