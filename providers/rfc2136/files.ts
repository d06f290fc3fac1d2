/** Files that a name server reads: written aside, brought to the disk, renamed; nobody ever sees half of one. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ProviderFailure } from '../provider.ts'

/** A disk brings several files to rest in the time of one; the operating system's own threads are four. */
export const filesAtOnceMax = 8
const fileMode = 0o644 // the server runs as another user, and a zone is no secret

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    throw new ProviderFailure('rejected', `${what}${code}`, { retry: 'later', cause })
  }
}

/** @throws ProviderFailure */
export async function writeAside(file: string, text: string): Promise<void> {
  const aside = join(dirname(file), `.${basename(file)}.new`)
  await attempt(`${file} cannot be written`, async () => {
    const handle = await open(aside, 'w', fileMode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, file)
  })
}

/** After this the renames of a folder outlast a power cut. @throws ProviderFailure */
export async function syncFolder(folder: string): Promise<void> {
  await attempt(`${folder} cannot be written`, async () => {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
}

/** @throws ProviderFailure when it cannot be read, also when it is not there. */
export function readWhole(file: string, what: string): Promise<string> {
  return attempt(`${what} ${file} cannot be read`, () => readFile(file, 'utf8'))
}

/** @throws ProviderFailure */
export async function makeFolder(folder: string): Promise<void> {
  await attempt(`the folder ${folder} cannot be made`, () => mkdir(folder, { recursive: true }))
}

/** Keeps what a zone of that name left behind, out of the way of a new one. */
export async function putAway(file: string): Promise<void> {
  await rename(file, `${file}.before`).catch(() => {})
}

/** Null when it is not there, or not to be seen. */
export async function octetsOf(file: string): Promise<number | null> {
  return stat(file).then(
    ({ size }) => size,
    () => null,
  )
}

export async function removeFile(file: string): Promise<void> {
  await attempt(`${file} cannot be removed`, () => rm(file, { force: true }))
}

/** The name of a zone as a file name: a reverse zone may have a slash in it (RFC 2317). */
export function zoneFileName(apex: string): string {
  return `${apex.replace(/[^a-z0-9._-]/g, octet => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`)}.zone`
}
