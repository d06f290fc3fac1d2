/**
 * Our marks on members of a list, durably in a file of ours: no list server has a place for them. A file that is absent
 * means that nobody is ours; one that can't be read is a failure, never an empty one.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { formatMarks, type MemberMarks, parseMarks } from '../agent/standards/list-resource.ts'
import { ProviderFailure } from './provider.ts'

/** @throws ProviderFailure */
export async function readMarks(file: string): Promise<MemberMarks> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return new Map()
    throw new ProviderFailure('rejected', `the marks in ${file} cannot be read`, { retry: 'later', cause })
  }
  const marks = parseMarks(text)
  if (marks === undefined)
    throw new ProviderFailure('malformed-reply', `${file} is no file of marks, or is damaged`, { retry: 'never' })
  return marks
}

/** Whole or not at all, and on disk when it returns: a mark stands before what it is on. @throws ProviderFailure */
export async function writeMarks(file: string, marks: MemberMarks): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    // Addresses of people: for our own user alone.
    const handle = await open(`${file}.new`, 'w', 0o600)
    try {
      await handle.writeFile(formatMarks(marks))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(`${file}.new`, file)
    const folder = await open(dirname(file), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (cause) {
    throw new ProviderFailure('rejected', `the marks in ${file} cannot be written`, { retry: 'later', cause })
  }
}
