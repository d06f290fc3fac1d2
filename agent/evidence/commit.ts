/**
 * Which commit the manifests stand at, read from git's own files: no program of git runs, so no hook and no setting of
 * somebody's work tree does either (gitrepository-layout(5)). Reads only.
 */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

export type Commit = { readonly commit: string; readonly ref: string | null }

const objectName = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** Undefined when the folder is in no work tree, or git keeps its references in a form that is not read here. */
export async function readCommit(folder: string): Promise<Commit | undefined> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = await gitFolder(join(at, '.git'))
    if (found !== undefined) return headOf(found)
    if (dirname(at) === at) return undefined
  }
}

async function gitFolder(path: string): Promise<string | undefined> {
  const there = await stat(path).catch(() => undefined)
  if (there === undefined || there.isDirectory()) return there && path
  // Of a linked work tree: a file that says where.
  const text = await readText(path)
  const target = /^gitdir: (.+)$/m.exec(text ?? '')?.[1]
  return target === undefined ? undefined : resolve(dirname(path), target)
}

async function headOf(git: string): Promise<Commit | undefined> {
  const head = (await readText(join(git, 'HEAD')))?.trim() ?? ''
  if (objectName.test(head)) return { commit: head, ref: null }
  const ref = /^ref: (refs\/[^\s]+)$/.exec(head)?.[1]
  if (ref === undefined || ref.split('/').includes('..')) return undefined
  const common = (await readText(join(git, 'commondir')))?.trim()
  const shared = common === undefined ? git : resolve(git, common)
  const loose = (await readText(join(git, ref)))?.trim() ?? (await readText(join(shared, ref)))?.trim()
  if (loose !== undefined && objectName.test(loose)) return { commit: loose, ref }
  const packed = (await readText(join(shared, 'packed-refs'))) ?? ''
  const line = packed.split('\n').find(each => each.endsWith(` ${ref}`))
  const commit = line?.split(' ')[0] ?? ''
  return objectName.test(commit) ? { commit, ref } : undefined
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
