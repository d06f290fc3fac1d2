/**
 * Runs one program to its end: an argument list and never a shell, an environment of its own, a time limit and a limit on
 * what it may print. How it ended is a value; what that means is the caller's affair. It never prints what it was given.
 */
import { spawn } from 'node:child_process'

export type Ending =
  | { readonly how: 'ended'; readonly status: number; readonly stdout: string; readonly stderr: string }
  /** There is no such program, or it may not be started. */
  | { readonly how: 'absent'; readonly cause: unknown }
  /** It may or may not have done its work. */
  | { readonly how: 'timeout' | 'aborted' | 'killed' | 'too-long'; readonly stderr: string }

export type Program = {
  /** The program, absolute, and its first arguments. */
  readonly argv: readonly string[]
  readonly input?: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /**
   * Takes the output as it comes; `stdout` stays empty then. To throw ends the program: the error comes out again.
   */
  readonly onOutput?: (bytes: Buffer) => void
}

/** Nothing of the caller's environment goes on to a program that may run with other rights. */
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** What is kept of an output that nobody takes as it comes: lists are taken, so this is far more than any answer. */
const outputBytesMax = 16 * 1024 * 1024
/** Enough for the sentence that says what is wrong; Postfix also prints a line for each message that it moved. */
const errorBytesMax = 64 * 1024

export function runProgram({ argv, input, timeoutMs, signal, onOutput }: Program): Promise<Ending> {
  const [file = '', ...args] = argv
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve({ how: 'aborted', stderr: '' })
    if (!file.startsWith('/')) return resolve({ how: 'absent', cause: new Error(`not an absolute path: ${file}`) })
    const child = spawn(file, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    let length = 0
    let stderr = ''
    let cut: 'timeout' | 'aborted' | 'too-long' | undefined
    let thrown: { readonly error: unknown } | undefined
    const end = (why: typeof cut) => {
      cut ??= why
      child.kill('SIGKILL')
    }
    const timer = setTimeout(end, timeoutMs, 'timeout')
    const onAbort = () => end('aborted')
    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (bytes: Buffer) => {
      if (thrown !== undefined) return
      if (onOutput !== undefined) {
        try {
          onOutput(bytes)
        } catch (error) {
          thrown = { error }
          child.kill('SIGKILL')
        }
        return
      }
      length += bytes.length
      if (length > outputBytesMax) end('too-long')
      else chunks.push(bytes)
    })
    child.stderr.on('data', (bytes: Buffer) => {
      if (stderr.length < errorBytesMax) stderr += bytes.toString('utf8')
    })
    // A program that ends before it has read everything is judged by how it ended.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
    const settled = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    child.once('error', cause => {
      settled()
      resolve({ how: 'absent', cause })
    })
    child.once('close', status => {
      settled()
      if (thrown !== undefined) reject(thrown.error)
      else if (cut !== undefined) resolve({ how: cut, stderr })
      else if (status === null) resolve({ how: 'killed', stderr })
      else resolve({ how: 'ended', status, stdout: Buffer.concat(chunks).toString('utf8'), stderr })
    })
  })
}
