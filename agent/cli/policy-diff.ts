/**
 * `policy diff`, `policy check`: what a change of manifests or configuration permits and refuses anew, and exceptions that
 * decide nothing. Reads manifests, configuration and the register; asks no system and writes nothing.
 */
import { resolve } from 'node:path'
import { compareFleets } from '../analysis/compare.ts'
import { findIdleExceptions } from '../analysis/findings.ts'
import { type Fleet, isWitnessed } from '../analysis/fleet.ts'
import { lineDirections } from '../analysis/lines.ts'
import { BrokenInvariant } from '../core/assert.ts'
import { type Instant, parseInstant } from '../core/clock.ts'
import { buildSnapshot } from '../decision/snapshot.ts'
import { readConfig } from '../manifest/config.ts'
import type { AgentConfig } from '../model/world.ts'
import { loadConfig } from './call.ts'
import type { Options } from './declare.ts'
import { CommandFailure, exits, type Io } from './io.ts'
import { diffView, findingViews, renderDiff, renderFindings } from './render-diff.ts'
import { checkWorlds, folderOf, listed, pathFromHere, type WorldReader } from './worlds.ts'

type Side = { readonly config: AgentConfig; readonly fleet: Fleet }

export async function policyDiffCommand(
  io: Io,
  read: WorldReader,
  words: readonly string[],
  options: Options,
): Promise<number> {
  const text: string | undefined = options['only']
  const only = lineDirections.find(known => known === text)
  if (text !== undefined && only === undefined) throw new CommandFailure(exits.usage, io.say('diffOnly', { text }))
  const config = await loadConfig(options, io)
  const folders = words.map(word => folderOf(io, word))
  const [folder, earlier] = [folders.at(-1), folders.length > 1 ? folders[0] : undefined]
  const configB = options['configB'] === undefined ? config : await otherConfig(io, options['configB'])
  const after = { ...configB, manifestsFolder: folder ?? configB.manifestsFolder }
  const before = earlier === undefined ? config : { ...config, manifestsFolder: earlier }
  const [a, b] = await readSides(io, read, config, [before, after], options)
  const difference = compareFleets(a!.fleet, b!.fleet)
  const unproven = difference.lines.find(line => !isWitnessed(line, a!.fleet, b!.fleet))
  if (unproven !== undefined) throw new BrokenInvariant(`a line without its proof: ${unproven.right}`)
  const pathOf = (file: string) => pathFromHere(b!.config.manifestsFolder, file)
  const view = diffView(difference, { before: a!.fleet, after: b!.fleet, only, pathOf })
  if (io.json) io.out(JSON.stringify(view, null, 2))
  else io.out(renderDiff(view, io.say, io.paint))
  return view.lines.length + view.settings.length > 0 ? exits.pending : exits.done
}

export async function policyCheckCommand(
  io: Io,
  read: WorldReader,
  [word]: readonly string[],
  options: Options,
): Promise<number> {
  const config = await loadConfig(options, io)
  const asked = word === undefined ? config : { ...config, manifestsFolder: folderOf(io, word) }
  const [side] = await readSides(io, read, config, [asked], options)
  const findings = findingViews(findIdleExceptions(side!.fleet), file => pathFromHere(asked.manifestsFolder, file))
  if (io.json) io.out(JSON.stringify({ version: 1, findings }, null, 2))
  else io.out(renderFindings(findings, io.say, io.paint))
  return findings.length > 0 ? exits.pending : exits.done
}

async function otherConfig(io: Io, file: string): Promise<AgentConfig> {
  const { config, diagnostics } = await readConfig(resolve(file))
  if (config === null) throw new CommandFailure(exits.badInput, listed(io, diagnostics))
  return config
}

/** What is in force as it is; every other side as after an apply. */
async function readSides(
  io: Io,
  read: WorldReader,
  config: AgentConfig,
  sides: readonly AgentConfig[],
  options: Options,
): Promise<Side[]> {
  const at = instantOf(io, options['at'])
  const found: Side[] = []
  for (const side of sides) {
    const worlds = await read(config, side === config ? null : side)
    checkWorlds(io, worlds, side.manifestsFolder)
    const world = worlds.other ?? worlds.today
    found.push({ config: side, fleet: { snapshot: buildSnapshot(world), at: at ?? world.at } })
  }
  // One instant for both, or an exception that ends between them would look like a change.
  return found.map(({ config: own, fleet }) => ({ config: own, fleet: { ...fleet, at: found[0]!.fleet.at } }))
}

function instantOf(io: Io, text: string | undefined): Instant | undefined {
  const at = text === undefined ? undefined : parseInstant(text)
  if (text !== undefined && at === undefined)
    throw new CommandFailure(exits.usage, io.say('noInstant', { option: '--at', text }))
  return at
}
