/** How command files declare their commands: what all of them share is added in one place. */
import { type Command, Option } from 'commander'
import { assert } from '../core/assert.ts'
import type { GlobalOptions } from './call.ts'

// biome-ignore lint/suspicious/noExplicitAny: commander gives the options as it parsed them; each command names the ones it declared
export type Options = GlobalOptions & Record<string, any>

/** A command of its parent; the options that all have belong to the program and may stand anywhere. */
export type Declare = (parent: Command, usage: string, description: string) => Command
/** The function of a command: its words, then its options; gives the exit code. */
export type Act = (declared: Command, run: (words: string[], options: Options) => Promise<number> | number) => void

/** An option whose value is one of these words. Help and completion show them; what is none of them is told where it is judged. */
export function oneOf(flags: string, words: readonly string[], description?: string): Option {
  const option = new Option(flags, description)
  option.argChoices = [...words]
  return option
}

const lists = new WeakSet<Option>()

/** Like `oneOf`, for any number of the words with commas between them. */
export function someOf(flags: string, words: readonly string[], description?: string): Option {
  const option = oneOf(flags, words, description)
  lists.add(option)
  return option
}

export function takesList(option: Option): boolean {
  return lists.has(option)
}

/** The last argument of a command is one of these words. */
export function endsWithOneOf(command: Command, words: readonly string[]): Command {
  const last = command.registeredArguments.at(-1)
  assert(last, `${command.name()} takes an argument`)
  last.argChoices = [...words]
  return command
}

/** For options that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}
