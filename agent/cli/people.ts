/** `token` and `password`: secrets are printed once, on standard output, and kept nowhere but as a digest or hash. */
import type { Command } from 'commander'
import { call, finish, type LocalRunner } from './call.ts'
import type { Act, Declare, Options } from './declare.ts'
import { type Io, readNamed, wholeNumber } from './io.ts'
import { table } from './render.ts'
import { printable, type Say } from './texts.ts'

type TokenView = {
  readonly person: string
  readonly role: string | null
  readonly until: string
  readonly madeBy: string
  readonly madeAt: string
}

export function renderTokens(tokens: readonly TokenView[], say: Say): string[] {
  if (tokens.length === 0) return [say('noTokens')]
  const head = [say('person'), say('role'), say('until'), say('madeBy'), say('madeAt')]
  const rows = tokens.map(({ person, role, until, madeBy, madeAt }) => [person, role ?? '–', until, madeBy, madeAt])
  return table([head, ...rows.map(row => row.map(printable))])
}

export function tokenCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  const parent = program.command('token').description(io.say('token'))
  act(declare(parent, 'list', io.say('tokenList')), async (_, options) => {
    const result = await call(io, local, options, 'token.list', {})
    return finish(io, result, json => renderTokens(json['tokens'] as readonly TokenView[], io.say))
  })
  act(declare(parent, 'create <person>', io.say('tokenCreate')).option('--days <days>'), async ([person], options) => {
    const result = await call(io, local, options, 'token.create', {
      person,
      days: options['days'] === undefined ? undefined : wholeNumber(io, '--days', options['days']),
    })
    // The token stands alone on standard output, so that a script can keep it; the advice goes beside.
    if (!io.json && typeof result.json['until'] === 'string')
      io.err(io.say('tokenOnce', { until: result.json['until'] }))
    return finish(io, result, json => [String(json['token'])])
  })
  act(declare(parent, 'revoke <person>', io.say('tokenRevoke')), async ([person], options) => {
    const result = await call(io, local, options, 'token.revoke', { person })
    return finish(io, result, json => [
      io.say('tokenRevoked', { count: String(json['count']), person: String(json['person']) }),
    ])
  })
}

export async function passwordCommand(io: Io, local: LocalRunner, address: string, options: Options): Promise<number> {
  const given =
    options['stdin'] === true
      ? readNamed(io, 0)
          .toString('utf8')
          .replace(/\r?\n$/, '')
      : undefined
  const result = await call(io, local, options, 'password.set', {
    address,
    ...(given === undefined ? {} : { password: given }),
  })
  return finish(io, result, json => [
    json['password'] === undefined
      ? io.say('passwordSet', { address })
      : io.say('passwordOnce', { address, password: String(json['password']) }),
  ])
}
