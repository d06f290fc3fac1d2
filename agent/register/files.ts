/** Small files that must survive a power cut whole: keys and witnesses. Nothing here knows what is in them. */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Replaces a file so that a crash leaves the old or the new one, whole. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const aside = `${file}.new`
  const handle = await open(aside, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(aside, file)
  await syncFolder(dirname(file))
}

/** A rename is durable only once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** @returns undefined when there is no such file; other troubles throw. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
}
