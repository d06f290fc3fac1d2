/**
 * How a command reaches the running daemon: one JSON line there, JSON lines back, over a unix socket that only the
 * daemon's own user can open. The last line is the result. Sizes are bounded on both sides.
 */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProviderFailure } from '../../providers/provider.ts'

export type ControlRequest = {
  readonly operation: string
  readonly args: Readonly<Record<string, unknown>>
  /** Unix user of the caller; only a name for the register, the socket's mode is the fence. */
  readonly user: string
  readonly token?: string
}

/** What an operation gives: an exit code (contract section 4) and its JSON. */
export type OperationResult = { readonly exit: number; readonly json: Readonly<Record<string, unknown>> }

/** A sentence and an exit code. */
export function failed(exit: number, message: string): OperationResult {
  return { exit, json: { version: 1, error: message } }
}

/** A secret that is missing or refused is a fault of the configuration; a system that does not answer is down. */
export function exitOf({ kind }: ProviderFailure): number {
  if (kind === 'unauthorized') return 78
  return kind === 'unreachable' || kind === 'timeout' ? 69 : 1
}

export type ControlReply =
  | { readonly progress: { readonly done: number; readonly total: number } }
  | { readonly result: OperationResult }

/** An analysis report with its fields is the largest request there is. */
export const requestBytesMax = 1024 * 1024

/** A unix socket's path ends at 107 bytes (unix(7)); a deeper state folder gets one under the system's temporary folder. */
const socketPathMax = 107

export function controlSocketPath(stateFolder: string): string {
  const beside = join(stateFolder, 'control.sock')
  if (Buffer.byteLength(beside) <= socketPathMax) return beside
  const name = createHash('sha256').update(stateFolder).digest('hex').slice(0, 16)
  return join(tmpdir(), `mailwarden-${process.getuid?.() ?? 0}-${name}.sock`)
}
