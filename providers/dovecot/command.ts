/** doveadm as a command on the mail host itself: an argument list, no shell, its `tab` output read back as rows. */
import { type Ending, runProgram } from '../../agent/core/run-program.ts'
import { ProviderFailure } from '../provider.ts'
import type { Answer, Doveadm, DoveadmCommand, Row } from './doveadm.ts'
import { exitFailure } from './doveadm.ts'

export type DoveadmByCommand = {
  /** The program, absolute, with its first arguments: `['/usr/bin/doveadm', '-c', '/etc/dovecot/dovecot.conf']`. */
  readonly argv: readonly string[]
}

const callMsMax = 10_000

/** The columns that `-f tab` heads a list with, under the names of the HTTP API. */
const columns: Readonly<Record<string, string>> = {
  username: 'username',
  proto: 'service',
  pid: 'pid',
  ip: 'ip',
  'Quota name': 'root',
  Type: 'type',
  Value: 'value',
  Limit: 'limit',
  '%': 'percent',
}

export function doveadmByCommand({ argv }: DoveadmByCommand): Doveadm {
  const target = argv.join(' ')
  return {
    target,
    async call(commands, signal) {
      const answers: Answer[] = []
      for (const command of commands) {
        const ending = await runProgram({ argv: [...argv, ...words(command)], timeoutMs: callMsMax, signal })
        answers.push(readEnding(ending, command, target))
      }
      return answers
    },
  }
}

function words(command: DoveadmCommand): string[] {
  switch (command.name) {
    case 'who':
      return ['-f', 'tab', 'who', '-1', '--', ...(command.mask === null ? [] : [command.mask])]
    case 'kick':
      return ['kick', '--', command.mask]
    case 'authCacheFlush':
      return ['auth', 'cache', 'flush', '--', ...command.users]
    case 'quotaGet':
      return ['-f', 'tab', 'quota', 'get', '-u', command.user]
  }
}

function readEnding(ending: Ending, command: DoveadmCommand, target: string): Answer {
  switch (ending.how) {
    case 'absent':
      throw new ProviderFailure('unreachable', `${target}: the command cannot be started`, {
        retry: 'never',
        cause: ending.cause,
      })
    case 'timeout':
      throw new ProviderFailure('timeout', `${target}: doveadm ${command.name} took longer than ${callMsMax} ms`, {
        retry: 'later',
        cause: ending.stderr,
      })
    case 'aborted':
    case 'killed':
    case 'too-long':
      throw new ProviderFailure('unreachable', `${target}: doveadm ${command.name} was cut short (${ending.how})`, {
        retry: 'later',
        cause: ending.stderr,
      })
    case 'ended': {
      if (ending.status === 0) return { rows: readRows(command, ending.stdout, target) }
      const failure = exitFailure(command.name, ending.status, target, ending.stderr)
      if (failure.kind !== 'rejected') throw failure
      return { exitCode: ending.status }
    }
  }
}

/** Only lists have rows; kick and flush print sentences. */
function readRows(command: DoveadmCommand, text: string, target: string): Row[] {
  if (command.name === 'kick' || command.name === 'authCacheFlush') return []
  const [head = '', ...lines] = text.split('\n')
  const names = head.split('\t').map(name => columns[name])
  if (lines.pop() !== '' || names.includes(undefined)) throw malformed(target, command.name)
  return lines.map(line => {
    const values = line.split('\t')
    if (values.length !== names.length) throw malformed(target, command.name)
    return Object.fromEntries(values.map((value, index) => [names[index], value]))
  })
}

function malformed(target: string, asked: string): ProviderFailure {
  return new ProviderFailure('malformed-reply', `${target}: the list of doveadm ${asked} makes no sense`, {
    retry: 'later',
  })
}
