/** `detection …`: words and options turned into one operation each. */
import type { Command } from 'commander'
import { call, finish, type LocalRunner } from './call.ts'
import type { Act, Declare } from './declare.ts'
import type { Io } from './io.ts'

export function detectionCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  const parent = program.command('detection').description(io.say('detection'))
  act(
    declare(parent, 'resume', io.say('detectionResume')).requiredOption('--reason <text>'),
    async (_, { reason, ...options }) => {
      const result = await call(io, local, options, 'detection.resume', { reason })
      return finish(io, result, json => [io.say(json['already'] === true ? 'detectionNoStorm' : 'detectionResumed')])
    },
  )
}
