/** `completion bash|zsh|fish`: a script for that shell, made from the commands as they are declared. Reads nothing else. */
import type { Command } from 'commander'
import { bashScript } from './completion/bash.ts'
import { fishScript } from './completion/fish.ts'
import { type CommandNode, completionTree, type Shell, shells } from './completion/tree.ts'
import { zshScript } from './completion/zsh.ts'
import { CommandFailure, exits, type Io } from './io.ts'

const scripts: Readonly<Record<Shell, (program: CommandNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

export function completionScript(program: Command, shell: Shell): string {
  return scripts[shell](completionTree(program))
}

export function completionCommand(io: Io, program: Command, word: string | undefined): number {
  const shell = shells.find(name => name === word)
  if (shell === undefined)
    throw new CommandFailure(exits.usage, io.say('completionUsage', { shells: shells.join('|') }))
  const script = completionScript(program, shell)
  io.out(io.json ? JSON.stringify({ version: 1, shell, script }) : script.trimEnd())
  return exits.done
}
