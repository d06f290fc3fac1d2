/** Reads the agent's own configuration from disk. What it says is judged in `agent-document.ts`. */
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { type ConfigReading, resolveConfig } from './agent-document.ts'
import { readSource } from './read.ts'

/** Never throws: a file that cannot be read is a finding. */
export async function readConfig(file: string): Promise<ConfigReading> {
  const absolute = resolve(file)
  const { source } = await readSource(absolute, basename(absolute))
  return resolveConfig(source, absolute)
}

/** @returns whether the file says something else by now. One that can't be read for a moment says nothing. */
export async function watchConfiguration(file: string): Promise<() => Promise<boolean>> {
  const read = () => readFile(file, 'utf8').catch(() => null)
  const first = await read()
  return async () => {
    const now = await read()
    return now !== null && now !== first
  }
}
