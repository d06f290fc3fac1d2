/** `policy`: what operators do with the policies of the live decision. One command, one file. */
import type { Command } from 'commander'
import { lineDirections } from '../analysis/lines.ts'
import { type Act, type Declare, oneOf } from './declare.ts'
import type { Io } from './io.ts'
import { policyCheckCommand, policyDiffCommand } from './policy-diff.ts'
import { policyTestCommand } from './policy-test.ts'
import type { WorldReader } from './worlds.ts'

export function policyCommands(
  program: Command,
  declare: Declare,
  act: Act,
  io: Io,
  lent: { readonly worlds: WorldReader },
): void {
  const parent = program.command('policy').description(io.say('policy'))
  act(
    declare(parent, 'test <file...>', io.say('policyTest')).option(
      '--manifests <folder>',
      io.say('policyTestManifests'),
    ),
    (files, options) => policyTestCommand(io, lent.worlds, files, options),
  )
  act(
    declare(parent, 'diff [folders...]', io.say('policyDiff'))
      .usage('[A] B')
      .option('--config-b <file>', io.say('diffConfigB'))
      .option('--at <instant>', io.say('diffAt'))
      .addOption(oneOf('--only <direction>', lineDirections, io.say('diffOnlyHelp'))),
    (folders, options) => policyDiffCommand(io, lent.worlds, folders, options),
  )
  act(
    declare(parent, 'check [folder]', io.say('policyCheck')).option('--at <instant>', io.say('diffAt')),
    (words, options) => policyCheckCommand(io, lent.worlds, words, options),
  )
}
