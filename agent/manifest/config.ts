/** Reads the agent's own configuration from disk. What it says is judged in `agent-document.ts`. */
import { basename, resolve } from 'node:path'
import { type ConfigReading, resolveConfig } from './agent-document.ts'
import { readSource } from './read.ts'

/** Never throws: a file that cannot be read is a finding. */
export async function readConfig(file: string): Promise<ConfigReading> {
  const absolute = resolve(file)
  const { source } = await readSource(absolute, basename(absolute))
  return resolveConfig(source, absolute)
}
