/** `policy test`: decision tables against their own small estates, or against manifests. Reads only. */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Diagnostic } from '../core/diagnostic.ts'
import { toDiagnosticJson } from '../core/messages.ts'
import { readSource } from '../manifest/read.ts'
import type { World } from '../model/world.ts'
import { type Judged, runTables } from '../policy-test/run.ts'
import { type EstateLayer, mergeLayers, readEstate, readTables, type Table } from '../policy-test/tables.ts'
import { at as noon, toHolds, toWorld, withCircumstances } from '../policy-test/world.ts'
import type { Options } from './declare.ts'
import { CommandFailure, exits, fileFailure, type Io } from './io.ts'
import { policyTestView, renderDiagnostics, renderPolicyTest } from './render-policy.ts'
import { checkWorlds, loadConfigurations, type WorldReader } from './worlds.ts'

const estateName = 'estate.yaml'

export async function policyTestCommand(
  io: Io,
  readWorlds: WorldReader,
  files: readonly string[],
  options: Options,
): Promise<number> {
  const { tables, diagnostics } = await readAll(io, files)
  const world = await manifestsWorld(io, readWorlds, tables, options)
  const found = [...diagnostics, ...(world === null ? homeless(tables) : twofold(tables))]
  if (found.length > 0) return failWith(io, found)
  const judged = tables.map((table): Judged => (world === null ? inItsEstate(table) : inWorld(table, world)))
  const result = runTables(judged)
  if (result.cases.length === 0)
    throw new CommandFailure(exits.badInput, io.say('policyNoCases', { files: files.join(', ') }))
  const view = policyTestView(result)
  if (io.json) io.out(JSON.stringify(view, null, 2))
  else io.out(renderPolicyTest(view, io.say, io.paint))
  return view.passed === view.total ? exits.done : exits.failed
}

/** The tables of files, each over the `estate.yaml` of its folder; which, named itself, holds no cases. */
async function readAll(io: Io, files: readonly string[]) {
  const diagnostics: Diagnostic[] = []
  const tables: Table[] = []
  const estates = new Map<string, EstateLayer | null>()
  const estateOf = async (file: string): Promise<EstateLayer | null> => {
    const path = join(dirname(file), estateName)
    const known = estates.get(path)
    if (known !== undefined) return known
    const read = existsSync(path) ? readEstate((await readSource(path, path)).source) : { found: null, diagnostics: [] }
    diagnostics.push(...read.diagnostics)
    estates.set(path, read.found)
    return read.found
  }
  for (const file of files) {
    try {
      statSync(file)
    } catch (error) {
      throw fileFailure(io, file, error)
    }
    const base = await estateOf(file)
    if (basename(file) === estateName) continue
    const read = readTables((await readSource(file, file)).source, base)
    diagnostics.push(...read.diagnostics)
    tables.push(...read.found)
  }
  return { tables, diagnostics }
}

/** The world of manifests, where they are asked for, or where no table brings an estate. */
async function manifestsWorld(
  io: Io,
  readWorlds: WorldReader,
  tables: readonly Table[],
  options: Options,
): Promise<World | null> {
  const none = tables.length > 0 && tables.every(table => !hasEstate(table))
  if (options['manifests'] === undefined && !none) return null
  const { config, other } = await loadConfigurations(io, options)
  const worlds = await readWorlds(config, other)
  checkWorlds(io, worlds, other?.manifestsFolder ?? '')
  return worlds.other ?? worlds.today
}

function hasEstate({ layers }: Table): boolean {
  return layers.some(({ text }) => Object.keys(text.domains ?? {}).length > 0)
}

/** Tables without an estate among others that have one. */
function homeless(tables: readonly Table[]): Diagnostic[] {
  return tables
    .filter(table => !hasEstate(table))
    .map(({ title, place }) => ({ severity: 'error', code: 'E-ESTATE-NONE', values: { title }, place }))
}

/** Tables with an estate of their own where manifests give another. */
function twofold(tables: readonly Table[]): Diagnostic[] {
  return tables
    .filter(hasEstate)
    .map(({ title, place }) => ({ severity: 'error', code: 'E-ESTATE-TWICE', values: { title }, place }))
}

function inItsEstate(table: Table): Judged {
  const { layers, place } = table
  const placeOf = (path: readonly (string | number)[]) =>
    layers.map(layer => layer.placeOf(path)).findLast(found => found !== null) ?? place
  return { table, world: toWorld(mergeLayers(layers), placeOf), at: noon }
}

function inWorld(table: Table, world: World): Judged {
  const estate = mergeLayers(table.layers)
  return { table, world: withCircumstances(world, estate, toHolds(estate)), at: world.at }
}

function failWith(io: Io, diagnostics: readonly Diagnostic[]): number {
  if (io.json) {
    const found = diagnostics.map(diagnostic => toDiagnosticJson(diagnostic, io.language))
    io.out(JSON.stringify({ version: 1, diagnostics: found }, null, 2))
  } else io.err(renderDiagnostics(diagnostics, io.language))
  return exits.badInput
}
