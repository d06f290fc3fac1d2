/** How a command gets its answer: from the running daemon when there is one, else from an engine of its own. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { callDaemon } from '../control/client.ts'
import { controlSocketPath, type OperationResult } from '../control/protocol.ts'
import { formatDiagnostic } from '../core/messages.ts'
import { readConfig } from '../manifest/config.ts'
import type { AgentConfig } from '../model/world.ts'
import { CommandFailure, exits, type Io, readToken } from './io.ts'

export type GlobalOptions = { readonly config?: string; readonly tokenFile?: string }

/** Does an operation without a daemon. Named by the composition root. */
export type LocalRunner = (
  config: AgentConfig,
  request: { operation: string; args: Readonly<Record<string, unknown>>; user: string; token?: string },
  io: Io,
) => Promise<OperationResult>

const standardPlaces = ['mailwarden.yaml', 'config/mailwarden.yaml', '/etc/mailwarden/mailwarden.yaml']

export function findConfigFile(options: GlobalOptions, io: Io): string | undefined {
  const given = options.config ?? io.environment['MAILWARDEN_CONFIG']
  if (given !== undefined) return resolve(given)
  return standardPlaces.map(place => resolve(place)).find(existsSync)
}

/** @throws CommandFailure with the diagnostics of a bad configuration (exit 78). */
export async function loadConfig(options: GlobalOptions, io: Io): Promise<AgentConfig> {
  const file = findConfigFile(options, io)
  if (file === undefined) throw new CommandFailure(exits.badConfiguration, io.say('noConfig'))
  const { config, diagnostics } = await readConfig(file)
  if (config === null) {
    throw new CommandFailure(
      exits.badConfiguration,
      diagnostics.map(diagnostic => formatDiagnostic(diagnostic, io.language)).join('\n'),
    )
  }
  return config
}

export async function call(
  io: Io,
  local: LocalRunner,
  options: GlobalOptions,
  operation: string,
  args: Readonly<Record<string, unknown>>,
): Promise<OperationResult> {
  const config = await loadConfig(options, io)
  const token = readToken(options.tokenFile, io)
  const request = {
    operation,
    args: { ...args, language: io.language },
    user: userInfo().username,
    ...(token === undefined ? {} : { token }),
  }
  const overDaemon = await callDaemon(controlSocketPath(config.stateFolder), request, progressOf(io)).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES') throw new CommandFailure(exits.notAllowed, io.say('stateDenied'))
      throw new CommandFailure(exits.unavailable, io.say('daemonSilent'))
    },
  )
  return overDaemon ?? (await local(config, request, io))
}

/** On a terminal, long work shows how far it is; in a pipe or log it stays silent. */
export function progressOf(io: Io): (done: number, total: number) => void {
  if (!process.stderr.isTTY || io.json) return () => {}
  return (done, total) => {
    process.stderr.write(`\r${io.say('progress', { done, total })}${done >= total ? '\r\u001b[K' : ''}`)
  }
}

/** Prints a result: its JSON as it is, its error on standard error, else the command's own lines. */
export function finish(
  io: Io,
  result: OperationResult,
  lines: (json: Readonly<Record<string, unknown>>) => readonly string[],
): number {
  const register = result.json['register'] as { trusted: boolean; findings: readonly string[] } | undefined
  if (register?.trusted === false) io.err(io.say('distrusted', { why: register.findings.join('; ') }))
  if (io.json) io.out(JSON.stringify(result.json, null, 2))
  else if (typeof result.json['error'] === 'string') io.err(result.json['error'])
  else io.out(lines(result.json))
  return result.exit
}
