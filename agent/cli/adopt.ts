/** `adopt` and `unmanaged`: an estate that stood before mailwarden came. */
import type { Command } from 'commander'
import type { Ref } from '../model/resource.ts'
import { call, finish, type LocalRunner } from './call.ts'
import type { Act, Declare, Options } from './declare.ts'
import type { Io } from './io.ts'
import { printable } from './texts.ts'

/** Lines shown before the rest is only counted. */
const linesMax = 60

type Listed = { readonly ref: Ref; readonly differs?: boolean; readonly mark?: string; readonly declared?: boolean }

export function adoptCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  act(declare(program, 'adopt [scope...]', io.say('adopt')).option('--yes', io.say('applyYes')), (scope, options) =>
    adoptCommand(io, local, scope, options),
  )
  act(declare(program, 'unmanaged [scope...]', io.say('unmanaged')), async (scope, options) => {
    const result = await call(io, local, options, 'unmanaged', { scope })
    return finish(io, result, json => list(io, json['objects'] as Listed[]))
  })
}

/** Without `--yes` it only lists; what was listed is what `--yes` adopts, or it is stale. */
async function adoptCommand(io: Io, local: LocalRunner, scope: string[], options: Options): Promise<number> {
  if (options['yes'] !== true) {
    const result = await call(io, local, options, 'adopt', { scope })
    return finish(io, result, json => {
      const objects = json['objects'] as Listed[]
      return [...list(io, objects), ...(objects.length > 0 ? [io.say('adoptNext')] : [])]
    })
  }
  const result = await call(io, local, options, 'adopt', { scope, apply: true })
  return finish(io, result, json => {
    const outcomes = json['outcomes'] as { ref: Ref; result: string; detail?: string }[]
    const counts = json['counts'] as { applied: number }
    return [
      ...outcomes
        .slice(0, linesMax)
        .map(({ ref, result, detail }) => `${io.paint('remove', result)} ${lineOf(ref)}: ${printable(detail ?? '')}`),
      io.say('adopted', { count: counts.applied }),
    ]
  })
}

function list(io: Io, objects: readonly Listed[]): string[] {
  const lines = objects.slice(0, linesMax).map(({ ref, differs, mark, declared }) => {
    const facts = [
      differs === true ? io.say('adoptDiffers') : '',
      mark === 'other' ? io.say('markOfOther') : '',
      declared === true ? io.say('declaredHere') : '',
    ]
    return [lineOf(ref), ...facts.filter(Boolean)].join('  ')
  })
  if (objects.length > linesMax) lines.push(io.say('moreLines', { count: objects.length - linesMax }))
  if (objects.length === 0) lines.push(io.say('nothingToDo'))
  return lines
}

const lineOf = (ref: Ref) => printable(`${ref.provider} ${ref.kind} ${ref.key}`)
