/** `plan`, `apply`, `status`, `explain`. */
import { createInterface } from 'node:readline/promises'
import type { VerificationView } from '../control/verification.ts'
import type { PlanView } from '../control/views.ts'
import { parseInstant } from '../core/clock.ts'
import { call, finish, type GlobalOptions, type LocalRunner } from './call.ts'
import { CommandFailure, exits, type Io, readNamedJson, writeNamed } from './io.ts'
import { type ExplainView, renderApply, renderExplain, renderPlan, renderStatus, type StatusView } from './render.ts'
import { renderVerify } from './render-verify.ts'

export async function planCommand(
  io: Io,
  local: LocalRunner,
  scope: string[],
  options: GlobalOptions & { out?: string },
): Promise<number> {
  const result = await call(io, local, options, 'plan', { scope })
  if (options.out !== undefined && result.json['digest'] !== undefined) {
    writeNamed(io, options.out, `${JSON.stringify(result.json, null, 2)}\n`, 0o600)
    io.err(io.say('saved', { file: options.out }))
  }
  return finish(io, result, json => renderPlan(json as unknown as PlanView, io.say, io.paint))
}

/** `delete=37,update=2` or several `--accept`. */
export function parseAccept(io: Io, values: readonly string[]): Record<string, number> {
  const accepted: Record<string, number> = {}
  for (const item of values.flatMap(value => value.split(','))) {
    const match = /^(delete|update)=(\d{1,9})$/.exec(item)
    if (match?.[1] === undefined) throw new CommandFailure(exits.usage, io.say('noAccept', { text: item }))
    accepted[match[1]] = Number(match[2])
  }
  return accepted
}

type ApplyOptions = GlobalOptions & { accept?: string[]; yes?: boolean }

export async function applyCommand(
  io: Io,
  local: LocalRunner,
  file: string | undefined,
  options: ApplyOptions,
): Promise<number> {
  const accept = parseAccept(io, options.accept ?? [])
  const plan = file === undefined ? undefined : readNamedJson(io, file)
  let digest: string | undefined
  if (plan === undefined && options.yes !== true) {
    const preview = await call(io, local, options, 'plan', { scope: [], accept })
    const view = preview.json as unknown as PlanView
    if (preview.exit === exits.done || preview.json['error'] !== undefined)
      return finish(io, preview, () => renderPlan(view, io.say, io.paint))
    if (!io.interactive) throw new CommandFailure(exits.refused, io.say('needsYes'))
    io.out(renderPlan(view, io.say, io.paint))
    if (preview.exit === exits.refused) return exits.refused
    if (!(await confirm(io, view.changes.length + view.keys.length))) {
      io.err(io.say('notConfirmed'))
      return exits.refused
    }
    // What was shown is what is applied: another plan by then is stale.
    digest = view.digest
  }
  const result = await call(io, local, options, 'apply', {
    accept,
    ...(plan === undefined ? {} : { plan }),
    ...(digest === undefined ? {} : { digest }),
  })
  return finish(io, result, json => renderApply(json as never, io.say, io.paint))
}

async function confirm(io: Io, count: number): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(io.say('confirm', { count }))
  terminal.close()
  return /^(y|yes|s|si|sí)$/i.test(answer.trim())
}

export async function statusCommand(io: Io, local: LocalRunner, options: GlobalOptions): Promise<number> {
  const result = await call(io, local, options, 'status', {})
  return finish(io, result, json => renderStatus(json as unknown as StatusView, io.say, io.paint))
}

/** The text that a monitor reads, as it is; `--json` has the numbers. */
export async function metricsCommand(io: Io, local: LocalRunner, options: GlobalOptions): Promise<number> {
  const result = await call(io, local, options, 'metrics', {})
  const { text, ...numbers } = result.json
  return finish(io, { ...result, json: io.json ? numbers : result.json }, () => String(text).trimEnd().split('\n'))
}

export async function verifyCommand(io: Io, local: LocalRunner, scope: string[], options: GlobalOptions) {
  const result = await call(io, local, options, 'verify', { scope })
  return finish(io, result, json => renderVerify(json['verification'] as VerificationView | null, io.say, io.paint))
}

type ExplainOptions = GlobalOptions & {
  sender?: string
  recipient?: string
  client?: string
  login?: string
  at?: string
  listener?: string
}

export async function explainCommand(
  io: Io,
  local: LocalRunner,
  words: string[],
  options: ExplainOptions,
): Promise<number> {
  const login = options.login ?? words[0]
  const recipient = options.recipient ?? words[1]
  if (recipient === undefined || (login === undefined && options.sender === undefined))
    throw new CommandFailure(exits.usage, io.say('explainUsage'))
  // What Postfix would not even take for an address; odd ones that it takes are judged.
  const halves = [recipient, options.sender ?? ''].find(text => /@$|^@[^,:]*$/.test(text))
  if (halves !== undefined) throw new CommandFailure(exits.usage, io.say('noAddress', { text: halves }))
  const at =
    options.at === undefined
      ? undefined
      : parseInstant(/^\d{4}-\d\d-\d\d$/.test(options.at) ? `${options.at}T12:00:00Z` : options.at)
  if (options.at !== undefined && at === undefined)
    throw new CommandFailure(exits.usage, io.say('noInstant', { option: '--at', text: options.at }))
  const { sender, client, listener } = options
  const args = {
    recipient,
    ...(login && { login }),
    ...(sender !== undefined && { sender }),
    ...(client && { client }),
    ...(listener !== undefined && { listener }),
    ...(at && { at }),
  }
  const result = await call(io, local, options, 'explain', args)
  return finish(io, result, json => renderExplain(json as unknown as ExplainView, io.say, io.paint))
}
