/**
 * `incident evidence|hold|unhold|export`. Collecting and recording is the daemon's; the archive is put together here, from
 * the store, and written once. `--verify` needs no configuration, no register and no daemon.
 */
import { linkSync, unlinkSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { type BundleVerdict, manifestName, parseManifest, proofName, verifyBundle } from '../evidence/bundle.ts'
import { EvidenceDamaged, evidenceStore } from '../evidence/store.ts'
import { writeTar } from '../evidence/tar.ts'
import { handoverFormats } from '../model/incident.ts'
import type { AgentConfig } from '../model/world.ts'
import { parsePublicKey } from '../register/checkpoint.ts'
import { call, finish, type LocalRunner, loadConfig } from './call.ts'
import { type Act, type Declare, type Options, oneOf } from './declare.ts'
import { CommandFailure, exits, fileFailure, type Io, readNamed, wholeNumber } from './io.ts'
import { printable, type Say } from './texts.ts'

type Json = Readonly<Record<string, unknown>>

export function evidenceCommands(parent: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  act(
    declare(parent, 'evidence [id]', io.say('incidentEvidence'))
      .option('--out <file>', io.say('evidenceOut'))
      .option('--bundle <number>', io.say('evidenceBundle'))
      .option('--verify <file>', io.say('evidenceVerify'))
      .option('--key <file>', io.say('registerKey')),
    ([id], options) => evidence(io, local, id, options),
  )
  act(
    declare(parent, 'hold <id>', io.say('incidentHold'))
      .requiredOption('--owner <name>')
      .requiredOption('--reason <text>')
      .requiredOption('--review <day>'),
    ([id], options) => {
      const { owner, reason, review } = options
      return run(io, local, options, 'incident.hold', { id, owner, reason, review })
    },
  )
  act(declare(parent, 'unhold <id>', io.say('incidentUnhold')), ([id], options) =>
    run(io, local, options, 'incident.unhold', { id }),
  )
  act(
    declare(parent, 'export <id>', io.say('incidentExport'))
      .addOption(oneOf('--format <format>', handoverFormats).makeOptionMandatory())
      .option('--out <file>', io.say('evidenceOut')),
    ([id], options) => exportCase(io, local, id ?? '', options),
  )
}

async function run(io: Io, local: LocalRunner, options: Options, operation: string, args: Json): Promise<number> {
  const result = await call(io, local, options, operation, args)
  return finish(io, result, json =>
    json['needsSecond'] === true ? [io.say('needsSecond')] : [String(json['message'])],
  )
}

async function evidence(io: Io, local: LocalRunner, id: string | undefined, options: Options): Promise<number> {
  if (options['verify'] !== undefined) return verify(io, String(options['verify']), options)
  if (id === undefined) throw new CommandFailure(exits.usage, io.say('evidenceNoId'))
  if (options['out'] === undefined) {
    const result = await call(io, local, options, 'incident.evidence', { id })
    return finish(io, result, json => bundleLines(json, io.say))
  }
  const config = await loadConfig(options, io)
  const bundle = options['bundle'] === undefined ? undefined : wholeNumber(io, '--bundle', options['bundle'])
  const result = await call(io, local, options, 'incident.evidence.export', { id, bundle })
  if (result.exit !== exits.done) return finish(io, result, () => [])
  const { proof, bundle: chosen, ...shown } = result.json
  const archive = await archiveOf(io, config, (chosen as { manifest: string }).manifest, String(proof))
  const file = String(options['out'])
  writeOnce(io, file, archive)
  const json = { ...shown, bundle: chosen, file, bytes: archive.length }
  return finish(io, { exit: exits.done, json }, () => [io.say('evidenceWritten', { file, bytes: archive.length })])
}

/** Every file is compared with its name on the way: what was changed in the store is not handed over. */
async function archiveOf(io: Io, config: AgentConfig, digest: string, proof: string): Promise<Buffer> {
  const store = evidenceStore(config.stateFolder)
  try {
    const bytes = await store.get(digest)
    const manifest = parseManifest(bytes.toString('utf8'))
    if (manifest === undefined) throw new EvidenceDamaged(digest, undefined)
    const files = []
    for (const { path, sha256 } of manifest.files) files.push({ name: path, bytes: await store.get(sha256) })
    const head = [
      { name: manifestName, bytes },
      { name: proofName, bytes: Buffer.from(proof) },
    ]
    return writeTar([...head, ...files], Math.floor(Date.parse(manifest.collectedAt) / 1000))
  } catch (error) {
    if (!(error instanceof EvidenceDamaged)) throw error
    throw new CommandFailure(exits.failed, io.say('evidenceDamaged', { digest: error.digest }))
  }
}

/** Whole or not at all, for its owner's eyes, and never over a file that stands. */
function writeOnce(io: Io, file: string, bytes: Uint8Array): void {
  const aside = `${file}.part`
  try {
    writeFileSync(aside, bytes, { mode: 0o600, flag: 'wx', flush: true })
    try {
      linkSync(aside, file)
    } finally {
      unlinkSync(aside)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CommandFailure(exits.badInput, io.say('evidenceExists', { file }))
    throw fileFailure(io, file, error)
  }
}

function bundleLines(json: Json, say: Say): string[] {
  const { version, files, gaps, manifest } = json['bundle'] as Record<string, string | number>
  const values = { incident: String(json['incident']), version: version ?? 0, files: files ?? 0, gaps: gaps ?? 0 }
  return [say('evidenceCollected', values), `  ${manifest}`]
}

function verify(io: Io, file: string, options: Options): number {
  const keyFile = options['key']
  const publicKey = keyFile === undefined ? undefined : readNamed(io, keyFile).toString('utf8')
  if (publicKey !== undefined && parsePublicKey(publicKey) === undefined)
    throw new CommandFailure(exits.badInput, io.say('fileNoKey', { file: keyFile }))
  const verdict = verifyBundle(readNamed(io, file), publicKey === undefined ? {} : { publicKey })
  if (io.json) {
    const { ok, digest, keyFrom, findings, manifest } = verdict
    const gaps = manifest?.gaps ?? []
    io.out(
      JSON.stringify(
        { version: 1, ok, incident: manifest?.incident ?? null, digest, keyFrom, findings, gaps },
        null,
        2,
      ),
    )
  } else io.out(verdictLines(io, verdict))
  return verdict.ok ? exits.done : exits.failed
}

function verdictLines({ say, paint }: Io, { ok, manifest, findings, keyFrom }: BundleVerdict): string[] {
  const lines = findings.map(({ file, code, detail }) => paint('remove', printable(`${file}: ${code}: ${detail}`)))
  const gaps = (manifest?.gaps ?? []).map(({ path, source, reason }) =>
    paint('warn', printable(say('evidenceGap', { path, source, reason }))),
  )
  if (!ok || manifest === null) return [...lines, ...gaps, paint('remove', say('evidenceBad'))]
  const values = { incident: printable(manifest.incident), version: manifest.version, files: manifest.files.length }
  const key = keyFrom === 'export' ? [paint('warn', say('evidenceOwnKey'))] : []
  return [...gaps, paint('add', say('evidenceGood', values)), ...key]
}

async function exportCase(io: Io, local: LocalRunner, id: string, options: Options): Promise<number> {
  const result = await call(io, local, options, 'incident.export', { id, format: options['format'] })
  const { text, ...shown } = result.json
  if (result.exit !== exits.done) return finish(io, result, () => [])
  const file = options['out']
  if (file === undefined) return finish(io, result, () => [String(text).trimEnd()])
  const bytes = Buffer.from(String(text))
  writeOnce(io, String(file), bytes)
  const json = { ...shown, file, bytes: bytes.length }
  return finish(io, { exit: exits.done, json }, () => [io.say('evidenceWritten', { file, bytes: bytes.length })])
}
