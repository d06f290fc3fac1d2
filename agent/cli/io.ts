/** What every command gets: where to print, in which language, how it ends, and the files that a person names. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Language } from '../model/entity.ts'
import { coloured, type Paint, plain } from './paint.ts'
import { type Say, sayIn, type TextKey } from './texts.ts'

/** Exit codes of the contract, section 4. */
export const exits = {
  done: 0,
  failed: 1,
  pending: 2,
  refused: 3,
  stale: 4,
  usage: 64,
  badInput: 65,
  unavailable: 69,
  bug: 70,
  notAllowed: 77,
  badConfiguration: 78,
} as const

/** A command that can't go on: the sentence and the exit code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exit: number

  constructor(exit: number, message: string) {
    super(message)
    this.exit = exit
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

export type Io = {
  readonly language: Language
  readonly json: boolean
  readonly say: Say
  readonly paint: Paint
  readonly environment: Environment
  readonly interactive: boolean
  out(lines: readonly string[] | string): void
  err(lines: readonly string[] | string): void
}

export function languageOf(argv: readonly string[], environment: Environment): Language {
  const at = argv.indexOf('--lang')
  const given = at >= 0 ? argv[at + 1] : argv.find(argument => argument.startsWith('--lang='))?.slice(7)
  const wanted = given ?? environment['LC_ALL'] ?? environment['LC_MESSAGES'] ?? environment['LANG'] ?? 'en'
  return wanted.toLowerCase().startsWith('es') ? 'es' : 'en'
}

export function createIo(options: { language: Language; json: boolean; environment: Environment }): Io {
  const tty = process.stdout.isTTY === true
  const colour = tty && options.environment['NO_COLOR'] === undefined && !options.json
  const print = (stream: NodeJS.WriteStream, lines: readonly string[] | string) => {
    stream.write(typeof lines === 'string' ? `${lines}\n` : lines.map(line => `${line}\n`).join(''))
  }
  return {
    language: options.language,
    json: options.json,
    say: sayIn(options.language),
    paint: colour ? coloured : plain,
    environment: options.environment,
    interactive: tty && process.stdin.isTTY === true,
    out: lines => print(process.stdout, lines),
    err: lines => print(process.stderr, lines),
  }
}

const fileTexts: Readonly<Record<string, TextKey>> = {
  ENOENT: 'fileMissing',
  ENOTDIR: 'fileMissing',
  EISDIR: 'fileFolder',
  ENOTEMPTY: 'fileFolder',
  EACCES: 'fileDenied',
  EPERM: 'fileDenied',
  EROFS: 'fileReadOnly',
  ENOSPC: 'fileFull',
  EDQUOT: 'fileFull',
}

/** One sentence for what the disk said about a file that a person named; an error that is not the disk's is a bug as it is. */
export function fileFailure(io: Pick<Io, 'say'>, file: string, error: unknown): Error {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (!(error instanceof Error) || syscall === undefined)
    return error instanceof Error ? error : new Error(String(error))
  const text = fileTexts[code ?? '']
  const sentence = text === undefined ? io.say('fileOther', { file, code: code ?? syscall }) : io.say(text, { file })
  return new CommandFailure(text === 'fileDenied' ? exits.notAllowed : exits.badInput, sentence)
}

/** Reads a file that a person named; 0 is standard input. @throws CommandFailure that names it. */
export function readNamed(io: Pick<Io, 'say'>, file: string | 0): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw fileFailure(io, file === 0 ? io.say('standardInput') : file, error)
  }
}

/** Writes a file that a person named. @throws CommandFailure that names it. */
export function writeNamed(io: Pick<Io, 'say'>, file: string, text: string, mode = 0o666): void {
  try {
    writeFileSync(file, text, { mode })
  } catch (error) {
    throw fileFailure(io, file, error)
  }
}

/** The JSON of a file that a person named. @throws CommandFailure that names it. */
export function readNamedJson(io: Pick<Io, 'say'>, file: string): unknown {
  const text = readNamed(io, file).toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandFailure(exits.badInput, io.say('fileNoJson', { file }))
  }
}

/** A whole number that a person typed after an option. @throws CommandFailure (64) */
export function wholeNumber(io: Pick<Io, 'say'>, option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new CommandFailure(exits.usage, io.say('noNumber', { option, text }))
  return Number(text)
}

/** The personal token: from a file by preference, else from the environment; never from an argument, which `ps` shows. */
export function readToken(tokenFile: string | undefined, io: Io): string | undefined {
  if (tokenFile !== undefined) return readNamed(io, tokenFile).toString('utf8').trim()
  return io.environment['MAILWARDEN_TOKEN']?.trim() || undefined
}
