/**
 * Runs the control program of a name server: an absolute program with its arguments, no shell, an environment of its own,
 * an end in time, and no more output than fits. It gives what came of it and throws on nothing.
 */
import { execFile } from 'node:child_process'
import { ProviderFailure } from '../provider.ts'

const outputOctetsMax = 64 * 1024 * 1024 // the list of 100,000 zones; more is a program that went wild
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

export type Ended = {
  /** Null when it was not started, or did not end in time. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The program and the arguments that stand before all others: `['/usr/sbin/rndc', '-c', '/etc/bind/rndc.conf']`. */
export type Command = readonly [program: string, ...args: readonly string[]]

/** @throws ProviderFailure for a program that is looked for along a path. */
export function checkCommand(command: Command): void {
  if (!command[0].startsWith('/'))
    throw new ProviderFailure('rejected', `the program ${command[0]} is not named by its whole path`, {
      retry: 'never',
    })
}

export function runProgram(
  command: Command,
  args: readonly string[],
  input: string,
  timeoutMs: number,
): Promise<Ended> {
  return new Promise(resolve => {
    const [program, ...first] = command
    const options = { encoding: 'utf8', env: environment, timeout: timeoutMs, maxBuffer: outputOctetsMax } as const
    const child = execFile(program, [...first, ...args], options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      // A program that could not be started says so in the error alone.
      resolve({
        status,
        stdout,
        stderr: stderr === '' && error !== null ? `${program}: ${error.code ?? error.signal}` : stderr,
      })
    })
    // It may end without reading: that is told by its status.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** The last thing it said, in one line. */
export function lastWords({ stdout, stderr }: Ended): string {
  const lines = `${stdout}\n${stderr}`.split('\n').map(line => line.trim())
  return lines
    .filter(line => line !== '' && line !== 'OK')
    .slice(-2)
    .join(': ')
}
