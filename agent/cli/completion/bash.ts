/**
 * The script for bash: tables by command, and a walk over the line that reads them (`walk.bash`). Needs bash 4.4 and
 * nothing else.
 */
import { readFileSync } from 'node:fs'
import { allCommands, type CommandNode, type Value } from './tree.ts'

/** As one word that bash and zsh read as it is. */
export const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const listed = (words: readonly string[]) => words.map(quoted).join(' ')

function stepOf({ path, commands, options }: CommandNode): string {
  const names = options.flatMap(option => option.names)
  const below = commands.map(({ name }) => name)
  return `    ${quoted(path.join(' '))}) commands=(${listed(below)}) options=(${listed(names)}) ;;`
}

/** The pattern of a place on the line, and what may stand there. */
type Row = readonly [pattern: string, value: Value]

function ownRows({ path, options, arguments: places }: CommandNode): readonly Row[] {
  const here = (key: string) => quoted([...path, key].join(' '))
  return [
    ...options.flatMap(({ names, value, reach }) =>
      value === null || reach === 'everywhere' ? [] : names.map((name): Row => [here(name), value]),
    ),
    ...places.map(
      ({ value, times }, index): Row =>
        times === 'often' ? [`${here('')}[1-9]*`, value] : [here(String(index + 1)), value],
    ),
  ]
}

const globalRows = ({ options }: CommandNode): readonly Row[] =>
  options.flatMap(({ names, value }) =>
    value === null ? [] : names.map((name): Row => [`*${quoted(` ${name}`)}`, value]),
  )

function casesOf(rows: readonly Row[]): string[] {
  const assignment = (value: Value) => `kind=${value.kind} words=(${'words' in value ? listed(value.words) : ''})`
  const alike = Map.groupBy(rows, ([, value]) => assignment(value))
  return [...alike].map(([words, same]) => `    ${same.map(([pattern]) => pattern).join(' | ')}) ${words} ;;`)
}

export function bashScript(program: CommandNode): string {
  const commands = allCommands(program)
  const walk = readFileSync(new URL('walk.bash', import.meta.url), 'utf8')
  return `# bash completion of mailwarden, printed by "mailwarden completion bash".

# Where words lead: the commands and options that may follow. Fails where they lead nowhere.
_mailwarden_at() {
  case $1 in
${commands.map(stepOf).join('\n')}
    *) return 1 ;;
  esac
}

# What an option takes, or the argument of that number. Fails where it takes nothing.
_mailwarden_value() {
  case "$1 $2" in
${[...casesOf(commands.flatMap(ownRows)), ...casesOf(globalRows(program))].join('\n')}
    *) return 1 ;;
  esac
}

${walk}`
}
