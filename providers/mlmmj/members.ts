/**
 * The members of one list of mlmmj: in `subscribers.d`, `digesters.d` and `nomailsubs.d` stand files of one address a
 * line, named after the first letter. Who takes the digest or no mail is as much a member as anybody.
 *
 * mlmmj locks these files by fcntl, which this runtime has not got. So nothing is edited in place: a new file is put
 * where the old one was, and the old one is looked at once more for lines that came in between. What is still lost
 * (mlmmj-unsub writes its copy over ours), the second look of the caller finds.
 */
import { type FileHandle, link, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Address } from '../../agent/model/name.ts'
import { toMemberAddress } from '../../agent/standards/list-resource.ts'
import type { Seats, Trouble } from '../list-members.ts'
import { ProviderFailure } from '../provider.ts'
import { asideFileOf } from './folder.ts'

const subscribers = 'subscribers.d'
const folders = [subscribers, 'digesters.d', 'nomailsubs.d']

/** Somebody who writes all the time gets the next pass, not an endless one. */
const attemptsMax = 5

type MemberFile = { readonly path: string; readonly lines: readonly string[] }

/** @throws ProviderFailure */
export async function readMembers(list: string): Promise<ReadonlySet<Address>> {
  const files = await readFiles(list)
  return new Set(files.flatMap(({ lines }) => lines.map(toMemberAddress)))
}

/** Only what went wrong is in the answer. */
export async function writeMembers(
  findFolder: () => Promise<string>,
  { add, remove }: Seats,
): Promise<ReadonlyMap<Address, Trouble>> {
  const troubles = new Map<Address, Trouble>()
  let list: string
  let files: readonly MemberFile[]
  try {
    list = await findFolder()
    files = await readFiles(list)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    return new Map([...add, ...remove].map(address => [address, { result: 'failed', detail: error.message }]))
  }
  const leaving = new Set(remove)
  const joining = Map.groupBy(add, address => join(list, subscribers, address.slice(0, 1)))
  const holding = files.filter(({ lines }) => lines.some(line => leaving.has(toMemberAddress(line))))
  for (const path of new Set([...joining.keys(), ...holding.map(file => file.path)])) {
    const own = joining.get(path) ?? []
    const edit = (lines: readonly string[]) => {
      const staying = lines.filter(line => !leaving.has(toMemberAddress(line)))
      const known = new Set(staying.map(toMemberAddress))
      return [...staying, ...own.filter(address => !known.has(address))]
    }
    try {
      await replaceLines(path, asideFileOf(list), edit)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      const gone = files.find(file => file.path === path)?.lines.map(toMemberAddress) ?? []
      for (const address of [...own, ...gone.filter(address => leaving.has(address))])
        troubles.set(address, { result: 'failed', detail: error.message })
    }
  }
  return troubles
}

async function readFiles(list: string): Promise<readonly MemberFile[]> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const files = await tryReadFiles(list)
    if (files !== 'moved') return files
  }
  throw new ProviderFailure('conflict', `the members of ${list} are written all the time`, { retry: 'later' })
}

/** `moved`: a file went away between the listing and the reading, so its members may stand in another one now. */
async function tryReadFiles(list: string): Promise<readonly MemberFile[] | 'moved'> {
  const files: MemberFile[] = []
  for (const folder of folders) {
    // A folder that is absent is no empty one: then this is no list, or it is being moved.
    const names = await fails(readdir(join(list, folder)), `${join(list, folder)} cannot be read`)
    // mlmmj's locks are hidden files.
    for (const name of names.filter(name => !name.startsWith('.'))) {
      const path = join(list, folder, name)
      const handle = await openIfThere(path)
      if (handle === undefined) return 'moved'
      try {
        files.push({ path, lines: toLines(await readWhole(handle, path)) })
      } finally {
        await handle.close()
      }
    }
  }
  return files
}

function toLines(text: string): readonly string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}

/** @throws ProviderFailure */
async function replaceLines(
  path: string,
  aside: string,
  edit: (lines: readonly string[]) => readonly string[],
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const old = await openIfThere(path)
    try {
      const before = old === undefined ? '' : await readWhole(old, path)
      const lines = toLines(before)
      const wanted = edit(lines)
      if (wanted.join('\n') === lines.join('\n')) return
      if (wanted.length > 0) await putAside(aside, wanted, old ?? dirname(path))
      if (await isStill(path, old)) {
        if (!(await putInPlace(aside, path, { isNew: old === undefined, isEmpty: wanted.length === 0 }))) continue
        await syncFolder(dirname(path))
        if (old !== undefined) await carryOver(path, before, await readWhole(old, path))
        return
      }
    } finally {
      await old?.close()
    }
  }
  throw new ProviderFailure('conflict', `${path} is written all the time`, { retry: 'later' })
}

/** Lines that somebody added to the old file after it was read are added to the new one, as mlmmj itself adds them. */
async function carryOver(path: string, before: string, grown: string): Promise<void> {
  const late = grown.startsWith(before) ? toLines(grown.slice(before.length)) : []
  if (late.length === 0) return
  const work = async () => {
    const handle = await open(path, 'a', 0o600)
    try {
      const [own, folder] = await Promise.all([handle.stat(), stat(dirname(path))])
      // The file that we emptied is gone, and this one is new.
      if (own.size === 0 && own.uid !== folder.uid) await handle.chown(folder.uid, folder.gid)
      await handle.writeFile(late.map(line => `${line}\n`).join(''))
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  await fails(work(), `${path} cannot be written: lost ${late.length} members that came in meanwhile`)
}

/** @returns false when somebody made the file first. */
async function putInPlace(
  aside: string,
  path: string,
  { isNew, isEmpty }: { readonly isNew: boolean; readonly isEmpty: boolean },
): Promise<boolean> {
  const message = `${path} cannot be written`
  if (!isNew) {
    // mlmmj leaves no empty file either.
    await fails(isEmpty ? unlink(path) : rename(aside, path), message)
    return true
  }
  try {
    await link(aside, path)
  } catch (cause) {
    if ((cause as { code?: string }).code === 'EEXIST') return false
    throw new ProviderFailure('rejected', message, { retry: 'later', cause })
  }
  await fails(unlink(aside), `${aside} cannot be removed`)
  return true
}

/** With the owner and the mode of the file that it will replace; of its folder, and for the owner alone, if there is none. */
async function putAside(aside: string, lines: readonly string[], like: FileHandle | string): Promise<void> {
  const work = async () => {
    const model = typeof like === 'string' ? await stat(like) : await like.stat()
    const mode = typeof like === 'string' ? 0o600 : model.mode & 0o777
    const handle = await open(aside, 'w', mode)
    try {
      const own = await handle.stat()
      await handle.writeFile(lines.map(line => `${line}\n`).join(''))
      // The umask may have taken bits, and a left-over has its own.
      await handle.chmod(mode)
      if (own.uid !== model.uid || own.gid !== model.gid) await handle.chown(model.uid, model.gid)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  await fails(work(), `${aside} cannot be written`)
}

/** True while the path leads to the very file that was read, or still to none. */
async function isStill(path: string, old: FileHandle | undefined): Promise<boolean> {
  const now = await openIfThere(path)
  try {
    if (now === undefined || old === undefined) return now === old
    const [there, here] = await Promise.all([now.stat(), old.stat()])
    return there.ino === here.ino && there.dev === here.dev
  } finally {
    await now?.close()
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return undefined
    throw new ProviderFailure('unauthorized', `${path} cannot be read`, { retry: 'later', cause })
  }
}

/** From the start, however often. */
async function readWhole(handle: FileHandle, path: string): Promise<string> {
  const work = async () => {
    const { size } = await handle.stat()
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0)
    return buffer.toString('utf8', 0, bytesRead)
  }
  return fails(work(), `${path} cannot be read`)
}

async function syncFolder(path: string): Promise<void> {
  const work = async () => {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
  await fails(work(), `${path} cannot be written`)
}

async function fails<T>(work: Promise<T>, message: string): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new ProviderFailure('rejected', message, { retry: 'later', cause })
  }
}
