/**
 * What doveadm is asked, whichever way it is reached: a few commands with their parameters, rows of text back. Dovecot 2.3,
 * measured with 2.3.19.1. Exit codes are those of sysexits.h with doveadm's own 68, "no such user is connected".
 */
import { ProviderFailure } from '../provider.ts'

export type DoveadmCommand =
  /** One row for each connection. Without `separateConnections` 2.3 writes several users as broken JSON. */
  | { readonly name: 'who'; readonly mask: string | null }
  | { readonly name: 'kick'; readonly mask: string }
  /** No name at all: the whole cache. */
  | { readonly name: 'authCacheFlush'; readonly users: readonly string[] }
  | { readonly name: 'quotaGet'; readonly user: string }

export type Row = Readonly<Record<string, string>>
export type Answer = { readonly rows: readonly Row[] } | { readonly exitCode: number }

export interface Doveadm {
  readonly target: string
  /** One answer for each command, in order. @throws ProviderFailure when doveadm or its host cannot be reached. */
  call(commands: readonly DoveadmCommand[], signal: AbortSignal): Promise<readonly Answer[]>
}

export const exit = { nobody: 68, unknownUser: 67, temporary: 75, notPermitted: 77 } as const

/** @throws ProviderFailure for an answer that is no list. */
export function rowsOf(answer: Answer | undefined, asked: string, target: string): readonly Row[] {
  if (answer !== undefined && 'rows' in answer) return answer.rows
  throw exitFailure(asked, answer?.exitCode, target)
}

export function exitFailure(asked: string, exitCode: number | undefined, target: string, cause?: unknown) {
  const said = `${target}: doveadm ${asked} ended with ${exitCode ?? 'no answer'}`
  switch (exitCode) {
    case exit.temporary:
      return new ProviderFailure('unreachable', said, { retry: 'later', cause })
    case exit.notPermitted:
      return new ProviderFailure('unauthorized', said, { retry: 'never', cause })
    default:
      return new ProviderFailure('rejected', said, { retry: 'later', cause })
  }
}
