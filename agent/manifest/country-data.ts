/**
 * Country data from disk: one statistics file of the registries or a folder of them, plain or gzip, read again when they
 * change. All of them or none: while one has a mistake, what was in force before stays in force. Nothing is fetched from
 * anywhere. Never throws for what is on the disk.
 */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { createGunzip } from 'node:zlib'
import type { Diagnostic } from '../core/diagnostic.ts'
import { type CountrySetting, type CountryTable, countryFilesMax } from '../model/country.ts'
import { createDelegatedParser, type DelegatedFile } from '../standards/delegated-statistics.ts'
import { buildCountryTable } from '../standards/delegated-table.ts'

/** All five registries together have some 40 MB; gzip can make any number of bytes of few. */
export const countryBytesMax = 512 * 1024 * 1024
/** All five have some 400,000 rows of addresses. */
export const countryRowsMax = 2_000_000

export type CountryReading = {
  /** In force; knows nobody where nothing could ever be read. */
  readonly table: CountryTable
  /** `kept`: the files have a mistake, and what was read before goes on. `none`: there was nothing before. */
  readonly state: 'current' | 'kept' | 'none'
  /** Of the files as they are. */
  readonly diagnostics: readonly Diagnostic[]
}

export interface CountryReader {
  /** Costs a look at names and times as long as nothing has changed. */
  read(): Promise<CountryReading>
}

export type CountryReaderOptions = {
  readonly setting: CountrySetting
  /** Files are named relative to it. */
  readonly folder: string
  /** What was in force before a restart, asked for once and only when the files cannot be used. */
  readonly kept: () => Promise<CountryTable | null>
}

/** What companions of a file are called: signatures, digests, halves of downloads. */
const noData = /^\.|\.(?:md5|sha\d+|asc|sig|part|tmp)$/i

export function createCountryReader({ setting, folder, kept }: CountryReaderOptions): CountryReader {
  let known: { readonly signature: string; readonly reading: CountryReading } | undefined
  let inForce: CountryTable | null | undefined

  const fallback = async (diagnostics: readonly Diagnostic[]): Promise<CountryReading> => {
    if (inForce === undefined) {
      const before = await kept()
      inForce = before?.countries.join() === setting.countries.join() ? before : null
    }
    if (inForce !== null) return { table: inForce, state: 'kept', diagnostics }
    return { table: buildCountryTable([], setting.countries).table, state: 'none', diagnostics }
  }

  return {
    async read() {
      const listing = await list(setting.path)
      const { signature } = listing
      if (known?.signature === signature) return known.reading
      const { table, diagnostics } = await readAll(listing.files, setting, folder)
      // What was written meanwhile may be half of each; the next look finds it settled.
      const isSettled = (await list(setting.path)).signature === signature
      if (!isSettled && known !== undefined) return known.reading
      if (table !== null && isSettled) inForce = table
      const reading: CountryReading =
        table !== null && isSettled ? { table, state: 'current', diagnostics } : await fallback(diagnostics)
      if (isSettled) known = { signature, reading }
      return reading
    },
  }
}

/** The files to read, and what changes when one of them does. */
async function list(path: string): Promise<{ readonly files: readonly string[]; readonly signature: string }> {
  try {
    const isFolder = (await stat(path)).isDirectory()
    const names = isFolder ? (await readdir(path)).filter(name => !noData.test(name)).sort() : []
    const files = isFolder ? names.slice(0, countryFilesMax + 1).map(name => join(path, name)) : [path]
    const looks = await Promise.all(
      files.map(async file => {
        const { ino, size, mtimeMs } = await stat(file)
        return [file, ino, size, mtimeMs]
      }),
    )
    return { files, signature: JSON.stringify(looks) }
  } catch {
    // Not there, or gone while it was looked at: reading says why.
    return { files: [path], signature: 'unreadable' }
  }
}

async function readAll(
  paths: readonly string[],
  { path, countries }: CountrySetting,
  folder: string,
): Promise<{ readonly table: CountryTable | null; readonly diagnostics: readonly Diagnostic[] }> {
  const nameOf = (file: string) => relative(folder, file).split(sep).join('/')
  const failure = (file: string, reason: string): Diagnostic => {
    const values = { file: nameOf(file), reason }
    return { severity: 'error', code: 'E-COUNTRY-FILE', values, place: { file: nameOf(file), line: 1, column: 1 } }
  }
  if (paths.length === 0) return { table: null, diagnostics: [failure(path, 'country.folder')] }
  if (paths.length > countryFilesMax) return { table: null, diagnostics: [failure(path, 'country.files')] }
  const diagnostics: Diagnostic[] = []
  const files: DelegatedFile[] = []
  const registries = new Set<string>()
  const room = { bytes: countryBytesMax, rows: countryRowsMax }
  for (const one of paths) {
    const file = await readOne(one, nameOf(one), countries, room)
    if (typeof file === 'string') {
      diagnostics.push(failure(one, file))
      continue
    }
    diagnostics.push(...file.diagnostics)
    // Two states of one registry contradict each other wherever something has changed hands.
    const registry = file.source?.registry ?? ''
    if (file.source !== null && registries.has(registry)) diagnostics.push(failure(one, 'country.twice'))
    registries.add(registry)
    files.push(file)
  }
  if (diagnostics.length > 0) return { table: null, diagnostics }
  for (const country of countries) {
    // One registry's file is missing, or another country was meant.
    const hasCountry = files.some(file => file.countries.has(country))
    if (!hasCountry) {
      const values = { country: country.toUpperCase(), file: nameOf(path) }
      diagnostics.push({ severity: 'error', code: 'E-COUNTRY-NONE', values })
    }
  }
  if (diagnostics.length > 0) return { table: null, diagnostics }
  return buildCountryTable(files, countries)
}

async function readOne(
  path: string,
  name: string,
  countries: readonly string[],
  room: { bytes: number; rows: number },
): Promise<DelegatedFile | string> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    // A FIFO or a device would block or never end.
    if (!(await handle.stat()).isFile()) return 'country.noFile'
    const parser = createDelegatedParser(name, countries)
    for await (const piece of await piecesOf(handle)) {
      room.bytes -= piece.byteLength
      if (room.bytes < 0) return 'country.bytes'
      if (parser.push(piece) > room.rows) return 'country.rows'
    }
    const file = parser.end()
    room.rows -= file.v4.length + file.v6.length
    return file
  } catch (error) {
    return (error as NodeJS.ErrnoException).code?.startsWith('Z_') ? 'country.gzip' : 'country.unreadable'
  } finally {
    await handle?.close().catch(() => {})
  }
}

/** RFC 1952 section 2.3.1: a gzip file begins with these two; a statistics file never does. */
async function piecesOf(handle: FileHandle): Promise<AsyncIterable<Uint8Array>> {
  const magic = Buffer.alloc(2)
  await handle.read(magic, 0, 2, 0)
  const plain = handle.createReadStream({ start: 0, autoClose: false })
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return plain
  const unpacked = createGunzip()
  plain.on('error', error => unpacked.destroy(error))
  return plain.pipe(unpacked)
}
