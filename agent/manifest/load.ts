/**
 * A folder of manifests as a checked estate: reads, parses what has changed, checks across files. The one way in for
 * daemon and command line. Gives the event loop its turn between files, so that live decisions never wait for YAML.
 */
import { setImmediate } from 'node:timers/promises'
import type { Day } from '../core/clock.ts'
import { type Digest, digestOf, sha256 } from '../core/digest.ts'
import type { CheckedEstate } from '../model/world.ts'
import { checkFiles } from './check.ts'
import { type ParsedFile, parseManifestFile } from './file.ts'
import { openAttachments, type ReadFile, readManifests } from './read.ts'

export type LoadOptions = {
  readonly today: Day
  readonly timeZone: string
  /** Files and folders to check instead of the whole folder; all within it. */
  readonly paths?: readonly string[]
}

export type LoadedEstate = CheckedEstate & {
  /** Over the paths and contents of all files: equal digests, equal manifests. */
  readonly digest: Digest
  /** Text of each file that could be read, by path: for code frames. */
  readonly texts: ReadonlyMap<string, string>
  /** How many files were parsed this time; the others were known. */
  readonly parsed: number
}

/** Reads a folder again and again, parsing only what has changed. */
export interface EstateReader {
  load(options: LoadOptions): Promise<LoadedEstate>
}

const sliceMs = 15 // of parsing before others have their turn

type Known = { readonly digest: Digest; readonly file: ParsedFile }

export function createEstateReader(folder: string): EstateReader {
  let known = new Map<string, Known>()
  return {
    load: async options => {
      const files = await readManifests(folder, options.paths)
      const next = new Map<string, Known>()
      let parsed = 0
      let turn = performance.now()
      for (const file of files) {
        const { path } = file.source
        const digest = digestOfFile(file)
        const before = known.get(path)
        if (before?.digest === digest) next.set(path, before)
        else {
          next.set(path, { digest, file: parseManifestFile(file.source) })
          parsed += 1
        }
        if (performance.now() - turn < sliceMs) continue
        await setImmediate()
        turn = performance.now()
      }
      known = next
      const { today, timeZone } = options
      const checked = checkFiles(
        [...next.values()].map(({ file }) => file),
        { today, timeZone, ...openAttachments(folder) },
      )
      const digests = [...next].map(([path, { digest }]) => [path, digest])
      return { ...checked, digest: digestOf(digests), texts: textsOf(files), parsed }
    },
  }
}

function digestOfFile({ bytes, source }: ReadFile): Digest {
  return bytes === null ? `failure:${'failure' in source ? source.failure : ''}` : sha256(bytes)
}

function textsOf(files: readonly ReadFile[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const { source } of files) if ('text' in source) texts.set(source.path, source.text)
  return texts
}

/** One look at a folder. */
export function loadEstate(folder: string, options: LoadOptions): Promise<LoadedEstate> {
  return createEstateReader(folder).load(options)
}
