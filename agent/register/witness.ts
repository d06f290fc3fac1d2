/**
 * Witness files: the newest checkpoint, put down outside the store after each commit. The witness may be behind the
 * store, never ahead: it is written after the commit, so a crash between the two cannot look like tampering, and a
 * store put back from a backup shows (R9). A witness that cannot be written never stops the register; it is reported.
 */
import { basename } from 'node:path'
import { noteBytesMax } from './checkpoint.ts'
import { readIfThere, replaceFile } from './files.ts'
import { addFinding, type Verification, type Witness } from './verify.ts'

export type WitnessReading = { readonly witnesses: readonly Witness[]; readonly troubles: readonly string[] }

/** A missing file is no witness; a file that cannot be read is a trouble, not a finding: the disk may be away. */
export async function readWitnesses(files: readonly string[]): Promise<WitnessReading> {
  const witnesses: Witness[] = []
  const troubles: string[] = []
  for (const file of files)
    try {
      const text = await readIfThere(file)
      if (text !== undefined) witnesses.push({ name: file, text: text.slice(0, noteBytesMax + 1) })
    } catch (error) {
      troubles.push(troubleOf(file, 'read', error))
    }
  return { witnesses, troubles }
}

/**
 * At the first start the witness is written before the first entry. Entries without any witness mean that someone took
 * it away, or that the store came to another host: an operator must say so once.
 */
export function checkWitnessLeft(walk: Verification, files: readonly string[], witnesses: readonly Witness[]): void {
  const { size } = walk
  if (files.length > 0 && witnesses.length === 0 && size > 0)
    addFinding(walk, 'witness.missing', { store: 'store' }, { size: String(size) })
}

/** @returns what went wrong, one sentence a file. */
async function writeWitnesses(files: readonly string[], note: string): Promise<readonly string[]> {
  const results = await Promise.all(
    files.map(async file => {
      try {
        await replaceFile(file, note, 0o644)
        return undefined
      } catch (error) {
        return troubleOf(file, 'written', error)
      }
    }),
  )
  return results.filter(result => result !== undefined)
}

function troubleOf(file: string, done: 'read' | 'written', error: unknown): string {
  const reason = (error as { code?: string }).code ?? (error instanceof Error ? error.message : String(error))
  return `The witness ${basename(file)} could not be ${done} (${reason}).`
}

/** Follows the newest note; heads in between are covered by the newest, so at most one write is under way. */
export type WitnessKeeper = {
  follow(note: string): void
  /** Resolves when the files hold the newest note, or their troubles are known. */
  settled(): Promise<void>
  /** Why the files lag behind, one sentence each. */
  readonly troubles: readonly string[]
}

export function keepWitnesses(files: readonly string[]): WitnessKeeper {
  let wanted: string | undefined
  let written: string | undefined
  let writing: Promise<void> | undefined
  let troubles: readonly string[] = []
  const work = async () => {
    while (wanted !== undefined && wanted !== written) {
      const note = wanted
      troubles = await writeWitnesses(files, note)
      written = note
    }
    writing = undefined
  }
  return {
    follow(note) {
      wanted = note
      // Without anything to write, `work` would end before it is assigned and leave a promise that nobody clears.
      if (wanted !== written) writing ??= work()
    },
    async settled() {
      while (writing !== undefined) await writing
    },
    get troubles() {
      return troubles
    },
  }
}
