/** How command files declare their commands: what all of them share is added in one place. */
import type { Command } from 'commander'
import type { GlobalOptions } from './call.ts'

// biome-ignore lint/suspicious/noExplicitAny: commander gives the options as it parsed them; each command names the ones it declared
export type Options = GlobalOptions & Record<string, any>

/** A command of its parent; the options that all have belong to the program and may stand anywhere. */
export type Declare = (parent: Command, usage: string, description: string) => Command
/** The function of a command: its words, then its options; gives the exit code. */
export type Act = (declared: Command, run: (words: string[], options: Options) => Promise<number> | number) => void

/** For options that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}
