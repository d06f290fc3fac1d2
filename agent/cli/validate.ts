/** `validate` and `schema`: no daemon, no register, no network. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../core/diagnostic.ts'
import { formatDiagnostic, toDiagnosticJson } from '../core/messages.ts'
import { findConfigFile, type GlobalOptions, loadConfig } from './call.ts'
import { exits, fileFailure, type Io } from './io.ts'

/** Checks paths, or the configured folder. Named by the composition root, which knows the clock. */
export type Validator = (paths: readonly string[], root: string, timeZone: string) => Promise<readonly Diagnostic[]>

function rootOf(io: Io, paths: readonly string[]): string {
  const first = paths[0] ?? '.'
  for (const path of paths) {
    try {
      statSync(path)
    } catch (error) {
      throw fileFailure(io, path, error)
    }
  }
  return paths.length === 1 && statSync(first).isDirectory() ? resolve(first) : commonFolder(paths)
}

function commonFolder(paths: readonly string[]): string {
  let common = resolve(dirname(paths[0] ?? '.'))
  for (const path of paths) {
    const absolute = resolve(path)
    while (common !== '/' && relative(common, absolute).startsWith('..')) common = dirname(common)
  }
  return common
}

export async function validateCommand(
  io: Io,
  validate: Validator,
  paths: string[],
  options: GlobalOptions,
): Promise<number> {
  const configured = findConfigFile(options, io)
  const config = configured === undefined && paths.length > 0 ? null : await loadConfig(options, io)
  const root = paths.length > 0 ? rootOf(io, paths) : (config?.manifestsFolder ?? '.')
  const wanted = paths.length > 0 ? paths.map(path => resolve(path)) : [root]
  const diagnostics = await validate(wanted, root, config?.operator.timeZone ?? 'America/Havana')
  const errors = diagnostics.filter(diagnostic => diagnostic.severity === 'error').length
  const valid = errors === 0
  if (io.json) {
    io.out(
      JSON.stringify(
        { version: 1, valid, diagnostics: diagnostics.map(diagnostic => toDiagnosticJson(diagnostic, io.language)) },
        null,
        2,
      ),
    )
    return valid ? exits.done : exits.failed
  }
  for (const diagnostic of diagnostics)
    io.out(`${formatDiagnostic(diagnostic, io.language, sourceOf(root, diagnostic))}\n`)
  const warnings = diagnostics.length - errors
  if (valid) io.out(warnings > 0 ? `${io.say('valid')}, ${io.say('warnings', { warnings })}` : io.say('valid'))
  else io.out(io.say('invalid', { errors, warnings }))
  return valid ? exits.done : exits.failed
}

function sourceOf(root: string, diagnostic: Diagnostic): string | undefined {
  if (diagnostic.place === undefined) return undefined
  try {
    return readFileSync(join(root, diagnostic.place.file), 'utf8')
  } catch {
    return undefined
  }
}

export function schemaCommand(io: Io): number {
  const file = fileURLToPath(new URL('../../config/schema/manifest.schema.json', import.meta.url))
  io.out(readFileSync(file, 'utf8').trimEnd())
  return exits.done
}
