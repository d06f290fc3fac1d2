/** What every command gets: where to print, in which language, and how it ends. */
import { readFileSync } from 'node:fs'
import type { Language } from '../model/entity.ts'
import { coloured, type Paint, plain } from './render.ts'
import { type Say, sayIn } from './texts.ts'

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

/** The personal token: from a file by preference, else from the environment; never from an argument, which `ps` shows. */
export function readToken(tokenFile: string | undefined, environment: Environment): string | undefined {
  if (tokenFile !== undefined) return readFileSync(tokenFile, 'utf8').trim()
  return environment['MAILWARDEN_TOKEN']?.trim() || undefined
}
