/** Worlds that a command judges by: today's, and another made of other manifests or another configuration. */
import { existsSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Diagnostic } from '../core/diagnostic.ts'
import { formatDiagnostic } from '../core/messages.ts'
import { readConfig } from '../manifest/config.ts'
import type { AgentConfig, World } from '../model/world.ts'
import { findConfigFile, type GlobalOptions, loadConfig } from './call.ts'
import { CommandFailure, exits, fileFailure, type Io } from './io.ts'

export type Worlds = {
  readonly today: World
  /** null when none was asked for, or its manifests have errors. */
  readonly other: World | null
  readonly diagnostics: readonly Diagnostic[]
  /** Sentences about a register that does not verify. */
  readonly findings: readonly string[]
}

/** Named by the composition root, which knows register and clock. */
export type WorldReader = (config: AgentConfig, other: AgentConfig | null) => Promise<Worlds>

export type Configurations = { readonly config: AgentConfig; readonly other: AgentConfig | null }

/**
 * The configuration in force, and the other one to compare it with. `--config` names the one in force on every command;
 * here it may name the other, where one is in force without it and no manifests are given.
 * @throws CommandFailure (65, 78)
 */
export async function loadConfigurations(
  io: Io,
  options: GlobalOptions & { readonly manifests?: string },
): Promise<Configurations> {
  if (options.manifests !== undefined) {
    const config = await loadConfig(options, io)
    return { config, other: { ...config, manifestsFolder: folderOf(io, options.manifests) } }
  }
  const { config: given, ...rest } = options
  const inForce = findConfigFile(rest, io)
  if (given === undefined || inForce === undefined || inForce === resolve(given) || !existsSync(inForce))
    return { config: await loadConfig(options, io), other: null }
  const { config: other, diagnostics } = await readConfig(resolve(given))
  if (other === null) throw new CommandFailure(exits.badInput, listed(io, diagnostics))
  return { config: await loadConfig(rest, io), other }
}

/** @throws CommandFailure (65) */
export function folderOf(io: Io, path: string): string {
  const folder = resolve(path)
  try {
    if (statSync(folder).isDirectory()) return folder
  } catch (error) {
    throw fileFailure(io, path, error)
  }
  throw new CommandFailure(exits.badInput, io.say('replayNoFolder', { file: path }))
}

export function listed(io: Io, diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(diagnostic => formatDiagnostic(diagnostic, io.language)).join('\n')
}

/**
 * A register that does not verify is told and goes on: what is judged here does not leave the screen.
 * @throws CommandFailure (65) with the mistakes of the other manifests, as `validate` shows them.
 */
export function checkWorlds(io: Io, { diagnostics, findings }: Worlds, what: string): void {
  if (findings.length > 0) io.err(io.say('distrusted', { why: findings.join('; ') }))
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return
  const sentence = io.say('replayMistakes', { count: errors.length, what })
  throw new CommandFailure(exits.badInput, `${listed(io, errors)}\n${sentence}`)
}

/** A manifest as a person at this prompt would open it. */
export function pathFromHere(folder: string, file: string): string {
  const path = join(folder, file)
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : near
}
