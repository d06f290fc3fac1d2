/** The shipped decision tables, read as `mailwarden policy test` reads them: one that has a mistake is an error. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { mergeLayers, type Reading, readEstate, readTables, type Table } from '../../agent/policy-test/tables.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))
const sourceOf = (path: string) => ({ path, text: readFileSync(`${folder}${path}`, 'utf8') })

function sound<T>({ found, diagnostics }: Reading<T>): NonNullable<T> {
  if (diagnostics.length > 0 || found === null || found === undefined) throw new Error(JSON.stringify(diagnostics))
  return found
}

const base = sound(readEstate(sourceOf('estate.yaml')))

export const estate: EstateText = mergeLayers([base])

export function shippedTables(): readonly Table[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.yaml') && name !== 'estate.yaml')
  return names.flatMap(name => sound(readTables(sourceOf(name), base)))
}
