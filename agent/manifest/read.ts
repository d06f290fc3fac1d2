/**
 * Beside `config.ts` and `country-data.ts` the only file of this folder that touches the disk: manifests below a folder,
 * and the files that they name. What cannot be read is told as such, never left out, since an absence would be taken for
 * a wish (contract section 1).
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { fileBytesMax } from './scan.ts'
import type { SourceFile } from './types.ts'

const attachmentBytesMax = 8 * 1024 * 1024 // a roster of 100,000 people
const foldersDeepMax = 32 // deeper is a loop of mounts, not a tree that people keep
const filesMax = 100_000 // ten times the largest estate foreseen

/** A file with its bytes told apart from its text, so that an unchanged one needs no second parsing. */
export type ReadFile = { readonly source: SourceFile; readonly bytes: Uint8Array | null }

/**
 * Every `*.yaml` and `*.yml` below the root, or the files and folders given, in order of their paths. Names that begin
 * with a dot are passed over; a symbolic link is followed only within the root. A folder that cannot be listed comes
 * back as an unreadable entry whose path ends in `/`.
 */
export async function readManifests(root: string, paths?: readonly string[]): Promise<readonly ReadFile[]> {
  const found = new Map<string, 'file' | 'failed'>()
  const base = await realpath(root).catch(() => undefined)
  if (base === undefined) return [failure('./', 'unreadable')]
  for (const path of paths ?? [root]) {
    const absolute = resolve(path)
    const kind = await stat(absolute).catch(() => undefined)
    if (kind?.isDirectory()) await walk(root, base, absolute, 0, found)
    else found.set(nameOf(root, absolute), kind === undefined ? 'failed' : 'file')
  }
  const names = [...found.keys()].sort()
  const files: ReadFile[] = []
  for (const name of names) {
    files.push(found.get(name) === 'failed' ? failure(name, 'unreadable') : await readSource(join(root, name), name))
  }
  return files
}

function failure(path: string, reason: 'too-large' | 'unreadable' | 'not-utf8'): ReadFile {
  return { source: { path, failure: reason }, bytes: null }
}

function nameOf(root: string, absolute: string): string {
  return relative(resolve(root), absolute).split(sep).join('/')
}

async function walk(
  root: string,
  base: string,
  folder: string,
  depth: number,
  found: Map<string, 'file' | 'failed'>,
): Promise<void> {
  const name = nameOf(root, folder)
  const entries =
    depth > foldersDeepMax ? undefined : await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined || found.size > filesMax) {
    found.set(`${name === '' ? '.' : name}/`, 'failed')
    return
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const absolute = join(folder, entry.name)
    const isYaml = /\.ya?ml$/i.test(entry.name)
    if (entry.isSymbolicLink()) {
      const target = await realpath(absolute).catch(() => undefined)
      const inside = target !== undefined && isInside(base, target)
      const kind = inside ? await stat(absolute).catch(() => undefined) : undefined
      if (kind?.isDirectory()) await walk(root, base, absolute, depth + 1, found)
      else if (isYaml) found.set(nameOf(root, absolute), kind?.isFile() ? 'file' : 'failed')
    } else if (entry.isDirectory()) await walk(root, base, absolute, depth + 1, found)
    else if (isYaml) found.set(nameOf(root, absolute), entry.isFile() ? 'file' : 'failed')
  }
}

function isInside(base: string, path: string): boolean {
  return path === base || path.startsWith(base.endsWith(sep) ? base : base + sep)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One file with its size judged before it is read. */
export async function readSource(absolute: string, path: string): Promise<ReadFile> {
  const bytes = await readCapped(absolute, fileBytesMax)
  if (typeof bytes === 'string') return failure(path, bytes)
  try {
    return { source: { path, text: utf8.decode(bytes) }, bytes }
  } catch {
    return { source: { path, failure: 'not-utf8' }, bytes: null }
  }
}

async function readCapped(absolute: string, max: number): Promise<Uint8Array | 'too-large' | 'unreadable'> {
  try {
    const kind = await stat(absolute)
    // A FIFO or a device would block or never end.
    if (!kind.isFile()) return 'unreadable'
    if (kind.size > max) return 'too-large'
    await using file = await open(absolute, 'r')
    const buffer = Buffer.allocUnsafe(kind.size + 1)
    let filled = 0
    while (filled < buffer.length) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    // It grew while it was read: half a file is no file. The next look finds it whole.
    if (filled > kind.size) return filled > max ? 'too-large' : 'unreadable'
    return buffer.subarray(0, filled)
  } catch {
    return 'unreadable'
  }
}

/** Looks up files that manifests name, within the root only. */
export type Attachments = {
  readonly attachment: (path: string) => string | undefined
  readonly hasDocument: (path: string) => boolean
}

export function openAttachments(root: string): Attachments {
  let base: string | undefined
  const locate = (path: string): string | undefined => {
    try {
      base ??= realpathSync.native(root)
      const file = join(base, path)
      // Most documents of a new estate are missing, and a thrown error is fifty times dearer than this look.
      if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined
      const target = realpathSync.native(file)
      return isInside(base, target) && statSync(target).isFile() ? target : undefined
    } catch {
      return undefined
    }
  }
  return {
    attachment: path => {
      const file = locate(path)
      if (file === undefined) return undefined
      try {
        return statSync(file).size > attachmentBytesMax ? undefined : utf8.decode(readFileSync(file))
      } catch {
        return undefined
      }
    },
    hasDocument: path => locate(path) !== undefined,
  }
}
