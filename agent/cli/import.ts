/**
 * `import`: an estate that stands already, as manifests to complete, validate and adopt. It reads systems or files and
 * writes new files at most: nothing that stands is touched.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import { emptyEstate, type ImportedEstate, type ImportedHolder, type Left, type LeftReason } from '../import/estate.ts'
import { knownOf } from '../import/known.ts'
import { type Imported, importEstate } from '../import/manifests.ts'
import { readHolders } from '../import/sources/holders.ts'
import { type LdapProfile, ldapProfiles, readLdapExport } from '../import/sources/ldap.ts'
import { type PostfixMap, readPostfix } from '../import/sources/postfix.ts'
import { readStanding } from '../import/sources/standing.ts'
import { readZoneFile } from '../import/sources/zonefile.ts'
import { parseManifestFile } from '../manifest/file.ts'
import { loadEstate } from '../manifest/load.ts'
import { type DomainName, parseDomainName } from '../model/name.ts'
import type { Resource } from '../model/resource.ts'
import { call, type LocalRunner, loadConfig } from './call.ts'
import type { Act, Declare, Options } from './declare.ts'
import { CommandFailure, exits, type Io } from './io.ts'
import { printable, type TextKey } from './texts.ts'

const inputBytesMax = 64 * 1024 * 1024 // an export of a hundred thousand entries; read whole into memory
const linesMax = 60 // shown before the rest is only counted; `--json` has all
const valueMax = 160 // characters of a value that differs; `--json` has all

type Lent = { readonly local: LocalRunner; readonly today: () => string }
type Read = (words: readonly string[], options: Options) => Promise<ImportedEstate> | ImportedEstate

export function importCommands(program: Command, declare: Declare, act: Act, io: Io, lent: Lent): void {
  const parent = program.command('import').description(io.say('import'))
  const source = (usage: string, text: TextKey, read: Read, options: readonly Option[] = []) => {
    const command = declare(parent, usage, io.say(text))
      .option('--institution <name>', io.say('importInstitution'))
      .option('--request <number>', io.say('importRequest'))
      .option('--holders <file>', io.say('importHolders'))
      .option('--out <folder>', io.say('importOut'))
    for (const option of options) command.addOption(option)
    act(command, async (words, given) => {
      // The manifests and the configuration are looked at before a long reading begins.
      await loadConfig(given, io)
      return importCommand(io, lent, await read(words, given), given)
    })
  }
  source('dns [domain...]', 'importDns', (names, options) => readSystems(io, lent, names, options, ['dns']))
  source('directory [domain...]', 'importDirectory', (names, options) =>
    readSystems(io, lent, names, options, ['directory', 'dns']),
  )
  source('zonefile <file>', 'importZonefile', ([file = ''], { origin }) => readZone(io, file, origin), [
    new Option('--origin <domain>').makeOptionMandatory(),
  ])
  source('postfix', 'importPostfix', (_, options) => readPostfix(postfixMaps(io, options)), [
    new Option('--domains <file>').makeOptionMandatory(),
    new Option('--mailboxes <file>'),
    new Option('--aliases <file>'),
    new Option('--transport <file>'),
  ])
  source(
    'ldap',
    'importLdap',
    (_, { ldif, profile }) => readLdapExport(readInput(io, ldif), profile as LdapProfile, basename(ldif)),
    [
      new Option('--ldif <file>').makeOptionMandatory(),
      new Option('--profile <profile>').choices(ldapProfiles).makeOptionMandatory(),
    ],
  )
}

/** @throws CommandFailure (65) */
function readInput(io: Io, file: string): string {
  try {
    const { size } = statSync(file)
    if (size > inputBytesMax) throw new Error(`${size} > ${inputBytesMax} bytes`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandFailure(exits.badInput, io.say('importUnread', { file, why: (error as Error).message }))
  }
}

function readZone(io: Io, file: string, origin: string): ImportedEstate {
  const zone = parseDomainName(origin)
  if (zone === undefined) throw new CommandFailure(exits.usage, io.say('importUnread', { file, why: origin }))
  return { ...emptyEstate, ...readZoneFile(readInput(io, file), zone, basename(file)) }
}

function postfixMaps(io: Io, options: Options) {
  const map = (file: string): PostfixMap => ({ file: basename(file), text: readInput(io, file) })
  const { domains, mailboxes, aliases, transport } = options
  return {
    domains: map(domains),
    ...(mailboxes === undefined ? {} : { mailboxes: map(mailboxes) }),
    ...(aliases === undefined ? {} : { aliases: map(aliases) }),
    ...(transport === undefined ? {} : { transport: map(transport) }),
  }
}

/** A directory's domains come with their zones; zones that no domain of the directory has are `import dns`'s. */
async function readSystems(
  io: Io,
  { local }: Lent,
  names: readonly string[],
  options: Options,
  systems: readonly string[],
): Promise<ImportedEstate> {
  const domains = names.map(name => {
    const domain = parseDomainName(name)
    if (domain === undefined)
      throw new CommandFailure(exits.badInput, io.say('importUnread', { file: name, why: name }))
    return domain
  })
  const { exit, json } = await call(io, local, options, 'import', { systems, domains })
  if (typeof json['error'] === 'string') throw new CommandFailure(exit, json['error'])
  const estate = readStanding(json['resources'] as Resource[])
  if (!systems.includes('directory')) return estate
  const own = new Set<DomainName>(estate.domains.map(({ name }) => name))
  return {
    ...estate,
    dns: estate.dns.filter(resource => own.has(resource.kind === 'zone' ? resource.apex : resource.zone)),
  }
}

async function importCommand(io: Io, { today }: Lent, estate: ImportedEstate, options: Options): Promise<number> {
  const config = await loadConfig(options, io)
  const { timeZone } = config.operator
  const loaded = await loadEstate(config.manifestsFolder, { today: today(), timeZone })
  const files = [...loaded.texts].map(([path, text]) => parseManifestFile({ path, text }))
  const holders = options['holders'] === undefined ? noHolders : readHolderFile(io, options['holders'])
  const out = options['out'] === undefined ? undefined : resolve(options['out'])
  const schemaFolder = fileURLToPath(new URL('../../config/schema', import.meta.url))
  const imported = importEstate(
    { ...estate, left: [...estate.left, ...holders.left] },
    {
      institution: options['institution'] ?? null,
      request: options['request'] ?? null,
      known: knownOf(files, loaded),
      config,
      holders: holders.holders,
      language: io.language,
      schema: join(relative(out ?? config.manifestsFolder, schemaFolder), 'manifest.schema.json'),
    },
  )
  if (out !== undefined && !writeFiles(io, out, imported)) return exits.failed
  if (io.json) io.out(JSON.stringify({ version: 1, ...imported }, null, 2))
  else print(io, imported, out)
  return imported.differences.length + imported.left.length > 0 ? exits.pending : exits.done
}

const noHolders = { holders: new Map<string, ImportedHolder>(), left: [] as readonly Left[] }

function readHolderFile(io: Io, file: string): ReturnType<typeof readHolders> {
  return readHolders(readInput(io, file), basename(file))
}

/** All or, where one stands in the way, none. */
function writeFiles(io: Io, out: string, { files }: Imported): boolean {
  mkdirSync(out, { recursive: true })
  const taken = files.find(({ path }) => statSync(join(out, path), { throwIfNoEntry: false }) !== undefined)
  if (taken !== undefined) {
    io.err(io.say('importExists', { file: join(out, taken.path) }))
    return false
  }
  for (const { path, text } of files) {
    mkdirSync(dirname(join(out, path)), { recursive: true })
    // `wx`: somebody may have made it a moment ago.
    writeFileSync(join(out, path), text, { flag: 'wx' })
  }
  return true
}

/** Manifests to standard output and what is said of them to standard error, so that a pipe gets manifests alone. */
function print(io: Io, { files, differences, left }: Imported, out: string | undefined): void {
  if (out === undefined)
    for (const [index, { text }] of files.entries()) io.out((index > 0 ? `---\n${text}` : text).trimEnd())
  else io.out(files.map(({ path }) => io.say('importWritten', { file: join(out, path) })))
  const value = (one: unknown) => {
    const text = JSON.stringify(one)
    return text.length > valueMax ? `${text.slice(0, valueMax)}…` : text
  }
  const lines = [
    ...differences.map(({ subject, standing, declared }) =>
      io.say('importDiffers', { subject, standing: value(standing), declared: value(declared) }),
    ),
    ...left.map(({ where, what, reason }) => io.say('importLeft', { where, what, why: io.say(leftText(reason)) })),
  ]
  io.err(lines.slice(0, linesMax).map(printable))
  if (lines.length > linesMax) io.err(io.say('moreLines', { count: lines.length - linesMax }))
  const counts = { files: files.length, differences: differences.length, left: left.length }
  io.err(files.length === 0 ? io.say('importNothing') : io.say('importCounts', counts))
  if (files.length > 0) io.err(io.say('importNext'))
}

function leftText(reason: LeftReason): TextKey {
  return `importLeft${reason.charAt(0).toUpperCase()}${reason.slice(1)}` as TextKey
}
