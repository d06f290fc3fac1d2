/**
 * The commands as the completion of a shell needs them: taken from commander by the same calls that make `--help`, so that
 * the two cannot disagree. Plain data; nothing of a domain, an account or an incident is ever in it.
 */
import type { Argument, Command, Help, Option } from 'commander'
import { assert } from '../../core/assert.ts'
import { collect, takesList } from '../declare.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** What may stand in a place. `list`: any number of the words, with commas between. `free`: only the person knows. */
export type Value =
  | { readonly kind: 'one' | 'list'; readonly words: readonly string[]; readonly label: string }
  | { readonly kind: 'file' | 'folder' | 'free'; readonly label: string }

export type OptionNode = {
  /** `-h` before `--help`. */
  readonly names: readonly string[]
  readonly description: string
  /** Null: it takes none. */
  readonly value: Value | null
  readonly times: 'once' | 'often'
  /** Of the program, taken anywhere on the line. */
  readonly reach: 'command' | 'everywhere'
}

export type ArgumentNode = {
  readonly value: Value
  readonly need: 'required' | 'optional'
  readonly times: 'once' | 'often'
}

export type CommandNode = {
  /** The words that lead here; none for the program. */
  readonly path: readonly string[]
  readonly name: string
  readonly description: string
  readonly commands: readonly CommandNode[]
  readonly options: readonly OptionNode[]
  readonly arguments: readonly ArgumentNode[]
}

/** What stands between the brackets of a declaration, where it is a name on this machine. */
const places: Readonly<Record<string, 'file' | 'folder'>> = {
  file: 'file',
  'file|text': 'file',
  maillog: 'file',
  path: 'file',
  folder: 'folder',
  folders: 'folder',
}

/** A word goes into a shell's line as it is, so none may mean anything there. */
const plainWord = /^[A-Za-z0-9][A-Za-z0-9:.-]*$/

function slotValue(
  declared: string,
  { kind, words, label }: { kind: 'one' | 'list'; words: readonly string[] | undefined; label: string },
): Value {
  if (words === undefined) return { kind: places[declared] ?? 'free', label }
  for (const word of words) assert(plainWord.test(word), `the word ${word} is safe on a command line`)
  return { kind, words, label }
}

/** `--class <class>` in, `class` out; in the language of the help. */
const bracketed = (term: string) => /[<[](.+?)(?:\.{3})?[>\]]/.exec(term)?.[1] ?? ''

function optionNode(option: Option, help: Help, reach: OptionNode['reach']): OptionNode {
  const { short, long, flags, argChoices, description, parseArg } = option
  const names = [short, long].filter(name => name !== undefined)
  for (const name of names) assert(/^--?[a-z][a-z-]*$/i.test(name), `the option ${name} is safe on a command line`)
  const takes = {
    kind: takesList(option) ? 'list' : 'one',
    words: argChoices,
    label: bracketed(help.optionTerm(option)),
  } as const
  return {
    names,
    description,
    value: option.isBoolean() ? null : slotValue(bracketed(flags), takes),
    times: parseArg === collect ? 'often' : 'once',
    reach,
  }
}

function argumentNode(argument: Argument, help: Help): ArgumentNode {
  const label = help.argumentTerm(argument)
  return {
    value: slotValue(argument.name(), { kind: 'one', words: argument.argChoices, label }),
    need: argument.required ? 'required' : 'optional',
    times: argument.variadic ? 'often' : 'once',
  }
}

/** An option of a command stands before one of the program with the same name, as it does when commander reads the line. */
function optionsOf(command: Command, help: Help): OptionNode[] {
  const program = command.parent === null
  const own = help.visibleOptions(command).map(option => optionNode(option, help, program ? 'everywhere' : 'command'))
  const taken = new Set(own.flatMap(({ names }) => names))
  const others = help.visibleGlobalOptions(command).map(option => optionNode(option, help, 'everywhere'))
  return [...own, ...others.filter(({ names }) => !names.some(name => taken.has(name)))]
}

export function completionTree(command: Command, path: readonly string[] = []): CommandNode {
  const help = command.createHelp()
  const options = optionsOf(command, help)
  return {
    path,
    name: command.name(),
    description: help.subcommandDescription(command),
    commands: help.visibleCommands(command).map(other => {
      const name = other.name()
      assert(plainWord.test(name), `the command ${name} is safe on a command line`)
      // `help` is made by commander when it is asked for, and has no parent: it is in no list.
      if (command.commands.includes(other)) return completionTree(other, [...path, name])
      return helpNode(other, { path: [...path, name], help, of: command, options })
    }),
    options,
    arguments: command.registeredArguments.map(argument => argumentNode(argument, help)),
  }
}

function helpNode(
  command: Command,
  { path, help, of, options }: { path: readonly string[]; help: Help; of: Command; options: readonly OptionNode[] },
): CommandNode {
  const words = of.commands.map(other => other.name())
  return {
    path,
    name: command.name(),
    description: help.subcommandDescription(command),
    commands: [],
    options: options.filter(({ reach }) => reach === 'everywhere'),
    arguments: command.registeredArguments.map(argument => {
      const node = argumentNode(argument, help)
      return { ...node, value: { kind: 'one', words, label: node.value.label } }
    }),
  }
}

/** The program, and every command below it. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)]
}
