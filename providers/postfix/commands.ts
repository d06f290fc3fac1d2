/**
 * The commands of Postfix 3.7 that the queue is read and moved with, each as an argument list. What is called is limited
 * to listing, holding, releasing, requeueing, and to what two people ordered to be deleted (`purge.ts`), id by id in the
 * hold queue; nothing here can expire or bounce a message, and nothing names ALL.
 */
import { type Ending, runProgram } from '../../agent/core/run-program.ts'
import { ProviderFailure } from '../provider.ts'

export type PostfixCommands = {
  /** Each an absolute program with its first arguments: `['/usr/sbin/postqueue', '-c', '/etc/postfix']`. */
  readonly postqueue: readonly string[]
  /** Root only: `['/usr/bin/sudo', '-n', '/usr/sbin/postsuper']` where mailwarden is not. */
  readonly postsuper: readonly string[]
  readonly postconf: readonly string[]
  readonly postkick: readonly string[]
  /** Reads headers in the queue, for their digest; root only, as postsuper. */
  readonly postcat: readonly string[]
}

export const debianCommands: PostfixCommands = {
  postqueue: ['/usr/sbin/postqueue'],
  postsuper: ['/usr/sbin/postsuper'],
  postconf: ['/usr/sbin/postconf'],
  postkick: ['/usr/sbin/postkick'],
  postcat: ['/usr/sbin/postcat'],
}

/** A queue of 100,000 messages is listed in a tenth of this. */
const callMsMax = 60_000

export type Call = {
  readonly argv: readonly string[]
  readonly args: readonly string[]
  readonly input?: string
  readonly onOutput?: (bytes: Buffer) => void
  readonly signal: AbortSignal
}

/** @returns what it printed. @throws ProviderFailure when it did not end well. */
export async function callPostfix({ argv, args, signal, ...rest }: Call): Promise<string> {
  const ending = await runProgram({ argv: [...argv, ...args], timeoutMs: callMsMax, signal, ...rest })
  const named = [argv.at(0)?.split('/').at(-1), ...args].join(' ')
  if (ending.how === 'ended' && ending.status === 0) return ending.stdout
  throw toFailure(named, ending)
}

/** By what Postfix prints: its exit codes say less. */
const refusals = /reserved for the superuser|not allowed to|unauthorized|[Pp]ermission denied|a password is required/

function toFailure(named: string, ending: Ending): ProviderFailure {
  switch (ending.how) {
    case 'absent':
      return new ProviderFailure('unreachable', `${named}: the command cannot be started`, {
        retry: 'never',
        cause: ending.cause,
      })
    case 'timeout':
      return new ProviderFailure('timeout', `${named} took longer than ${callMsMax} ms`, {
        retry: 'later',
        cause: ending.stderr,
      })
    case 'aborted':
    case 'killed':
    case 'too-long':
      return new ProviderFailure('unreachable', `${named} was cut short (${ending.how})`, {
        retry: 'later',
        cause: ending.stderr,
      })
    case 'ended': {
      const reason = ending.stderr.split('\n').find(line => /(?:fatal|error): /.test(line)) ?? ''
      const said = `${named} ended with ${ending.status}: ${reason.slice(0, 300)}`
      return refusals.test(ending.stderr)
        ? new ProviderFailure('unauthorized', said, { retry: 'never', cause: ending.stderr })
        : new ProviderFailure('unreachable', said, { retry: 'later', cause: ending.stderr })
    }
  }
}
