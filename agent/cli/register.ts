/** `register verify|list|export|proof|accept`: on the store, or on an export that anybody holds. Reading needs no daemon. */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { AgentConfig } from '../model/world.ts'
import { parsePublicKey } from '../register/checkpoint.ts'
import { exportRegister } from '../register/export-store.ts'
import { formatFailure, RegisterFailure } from '../register/failure.ts'
import { type Finding, formatFinding } from '../register/finding.ts'
import { listEntries, proveEntry, verifyExport, verifyStore } from '../register/offline.ts'
import { verifyProof } from '../register/proof.ts'
import { call, finish, type LocalRunner, loadConfig } from './call.ts'
import type { Act, Declare, Options } from './declare.ts'
import { CommandFailure, exits, fileFailure, type Io, readNamed, readNamedJson, wholeNumber, writeNamed } from './io.ts'
import { printable } from './texts.ts'

/** @throws CommandFailure when there is no store yet, or none that this user may read. */
function placeOf(io: Io, config: AgentConfig) {
  const file = config.storeFile
  try {
    accessSync(file, constants.R_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileFailure(io, file, error)
    throw new CommandFailure(exits.failed, io.say('noRegister', { file }))
  }
  return { file, keysFolder: join(config.stateFolder, 'keys') }
}

function readKey(io: Io, options: Options): { publicKey?: string } {
  const file = options['key']
  if (file === undefined) return {}
  const publicKey = readNamed(io, file).toString('utf8')
  if (parsePublicKey(publicKey) === undefined) throw new CommandFailure(exits.badInput, io.say('fileNoKey', { file }))
  return { publicKey }
}

/** @param file the one that a person named; what the disk says of it is no failure of the register. */
async function guarded<T>(io: Io, work: () => Promise<T>, file?: string): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof RegisterFailure)) throw error
    const { syscall } = (error.cause ?? {}) as NodeJS.ErrnoException
    if (file !== undefined && error.kind === 'rejected' && syscall !== undefined)
      throw fileFailure(io, file, error.cause)
    throw new CommandFailure(exits.failed, formatFailure(error, io.language))
  }
}

function printVerdict(
  io: Io,
  verdict: { ok: boolean; size: number; root: string; findings: readonly Finding[]; troubles?: readonly string[] },
): number {
  const findings = verdict.findings.map(finding => ({ ...finding, sentence: formatFinding(finding, io.language) }))
  if (io.json)
    io.out(
      JSON.stringify(
        {
          version: 1,
          ok: verdict.ok,
          size: verdict.size,
          root: verdict.root,
          findings,
          troubles: verdict.troubles ?? [],
        },
        null,
        2,
      ),
    )
  else {
    for (const { sentence } of findings) io.out(printable(sentence))
    for (const trouble of verdict.troubles ?? []) io.err(printable(trouble))
    io.out(
      verdict.ok
        ? io.paint('add', io.say('verified', { size: verdict.size, root: verdict.root.slice(0, 16) }))
        : io.paint('remove', io.say('notVerified')),
    )
  }
  return verdict.ok ? exits.done : exits.failed
}

async function verify(io: Io, file: string | undefined, options: Options): Promise<number> {
  if (file !== undefined)
    return printVerdict(io, await guarded(io, () => verifyExport(file, readKey(io, options)), file))
  const config = await loadConfig(options, io)
  const key = readKey(io, options)
  const place = placeOf(io, config)
  return printVerdict(io, await guarded(io, () => verifyStore({ ...place, ...key, witnessFiles: config.witnessFiles })))
}

async function list(io: Io, options: Options): Promise<number> {
  const config = await loadConfig(options, io)
  const filter = {
    ...(options['kind'] === undefined ? {} : { kind: String(options['kind']) }),
    ...(options['subject'] === undefined ? {} : { subject: String(options['subject']) }),
    ...(options['from'] === undefined ? {} : { from: wholeNumber(io, '--from', options['from']) }),
    ...(options['last'] === undefined ? {} : { last: wholeNumber(io, '--last', options['last']) }),
  }
  const { file } = placeOf(io, config)
  await guarded(io, async () => {
    const entries: unknown[] = []
    for await (const entry of listEntries(file, filter)) {
      if (io.json) entries.push(entry)
      else
        io.out(
          printable(
            `${entry.index}  ${entry.at}  ${entry.kind}  ${entry.actor.person}  ${entry.subject}  ${JSON.stringify(entry.facts)}`,
          ),
        )
    }
    if (io.json) io.out(JSON.stringify({ version: 1, entries }, null, 2))
  })
  return exits.done
}

export function registerCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  const parent = program.command('register').description(io.say('register'))
  act(
    declare(parent, 'verify [file]', io.say('registerVerify')).option('--key <file>', io.say('registerKey')),
    ([file], options) => verify(io, file, options),
  )
  act(
    declare(parent, 'list', io.say('registerList'))
      .option('--kind <kind>')
      .option('--subject <subject>')
      .option('--from <index>')
      .option('--last <count>'),
    (_, options) => list(io, options),
  )
  act(
    declare(parent, 'export <file>', io.say('registerExport')).option('--with-personal', io.say('registerPersonal')),
    async ([file = ''], options) => {
      const config = await loadConfig(options, io)
      const personal = options['withPersonal'] === true ? 'included' : 'left-out'
      const result = await guarded(io, () => exportRegister({ ...placeOf(io, config), target: file, personal }), file)
      if (io.json) io.out(JSON.stringify({ version: 1, file, size: result.size }))
      else io.out(io.say('exported', { size: result.size, file }))
      return exits.done
    },
  )
  act(
    declare(parent, 'proof [index]', io.say('registerProof'))
      .option('--out <file>')
      .option('--check <file>', io.say('registerCheck'))
      .option('--key <file>', io.say('registerKey')),
    async ([index], options) => {
      if (options['check'] !== undefined) {
        const verdict = verifyProof(readNamedJson(io, options['check']), readKey(io, options))
        if (io.json) io.out(JSON.stringify({ version: 1, ...verdict }, null, 2))
        else {
          for (const finding of verdict.findings) io.out(printable(formatFinding(finding, io.language)))
          io.out(io.say(verdict.ok ? 'proofHolds' : 'notVerified'))
        }
        return verdict.ok ? exits.done : exits.failed
      }
      if (index === undefined || !/^\d+$/.test(index)) throw new CommandFailure(exits.usage, io.say('proofUsage'))
      const config = await loadConfig(options, io)
      const proof = await guarded(io, () => proveEntry(placeOf(io, config), Number(index), 'left-out'))
      const text = `${JSON.stringify(proof, null, 2)}\n`
      if (options['out'] === undefined) io.out(text.trimEnd())
      else writeNamed(io, options['out'], text)
      return exits.done
    },
  )
  act(declare(parent, 'accept', io.say('registerAccept')).requiredOption('--reason <text>'), async (_, options) => {
    const result = await call(io, local, options, 'register.accept', { reason: options['reason'] })
    return finish(io, result, json => [io.say('verified', { size: String(json['size']), root: '…' })])
  })
}
