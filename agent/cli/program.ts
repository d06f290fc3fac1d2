/**
 * The commands and their options, declared once; each goes to one thin function. Exit codes are ours (contract section 4).
 * Functions, and commands with commands of their own, are loaded when the line names them.
 */
import { Command, CommanderError } from 'commander'
import { ProviderFailure } from '../../providers/provider.ts'
import { exitOf } from '../control/protocol.ts'
import { formatDiagnostic } from '../core/messages.ts'
import { grounds } from '../incident/incident.ts'
import { languages } from '../model/entity.ts'
import { incidentClasses, levers } from '../model/incident.ts'
import type { AgentConfig } from '../model/world.ts'
import { formatFailure, RegisterFailure } from '../register/failure.ts'
import { type LocalRunner, loadConfig } from './call.ts'
import { inLanguage } from './commander.ts'
import { shells } from './completion/tree.ts'
import { type Act, collect, type Declare, endsWithOneOf, oneOf, someOf } from './declare.ts'
import type { Snippets } from './init.ts'
import { initWords } from './init-parts.ts'
import { CommandFailure, createIo, type Environment, exits, fileFailure, type Io, languageOf } from './io.ts'
import type { Validator } from './validate.ts'
import type { WorldReader } from './worlds.ts'

/** What the composition root lends to the command line. */
export type Composition = {
  readonly version: string
  readonly local: LocalRunner
  readonly validate: Validator
  readonly worlds: WorldReader
  readonly runDaemon: (config: AgentConfig, io: Io) => Promise<number>
  readonly snippets: Snippets
  readonly today: () => string
  readonly todayIn: (timeZone: string) => string
}

export async function runProgram(
  argv: readonly string[],
  environment: Environment,
  composition: Composition,
): Promise<number> {
  const io = createIo({ language: languageOf(argv, environment), json: argv.includes('--json'), environment })
  let exit: number = exits.done
  try {
    const program = await declareProgram(io, composition, argv, code => {
      exit = code
    })
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.done : exits.usage
    if (error instanceof CommandFailure) return fail(io, error.exit, error.message)
    if (error instanceof ProviderFailure) {
      const detail = error.message.replace(/\.$/, '')
      const found = { severity: 'error', code: 'E-PROVIDER', values: { detail } } as const
      return fail(io, exitOf(error), formatDiagnostic(found, io.language))
    }
    if (error instanceof RegisterFailure) return fail(io, exits.failed, formatFailure(error, io.language))
    const denied = denialOf(io, error)
    if (denied !== undefined) return fail(io, denied.exit, denied.message)
    throw error
  }
}

/** SQLite's own numbers for a file that it may only read, or not even open. */
const sqliteDenied = [8, 14]

/** A state folder of another user, a disk that is read-only: nothing that mailwarden did wrong. */
function denialOf(io: Io, error: unknown): CommandFailure | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, path, errcode } = error as NodeJS.ErrnoException & { errcode?: number }
  if (errcode !== undefined && sqliteDenied.includes(errcode % 256))
    return new CommandFailure(exits.notAllowed, io.say('stateDenied'))
  if (path === undefined || !['EACCES', 'EPERM', 'EROFS'].includes(code ?? '')) return undefined
  const failure = fileFailure(io, path, error)
  return failure instanceof CommandFailure ? failure : undefined
}

function fail(io: Io, exit: number, sentence: string): number {
  if (io.json) io.out(JSON.stringify({ version: 1, error: sentence }))
  else io.err(sentence)
  return exit
}

type Parts = {
  readonly program: Command
  readonly command: Declare
  readonly act: Act
  readonly io: Io
  readonly composition: Composition
}

/** Commands with commands of their own, in the order of the help. */
const groups: Readonly<Record<string, (parts: Parts) => Promise<void>>> = {
  adopt: async ({ program, command, act, io, composition }) =>
    (await import('./adopt.ts')).adoptCommands(program, command, act, io, composition.local),
  import: async ({ program, command, act, io, composition }) =>
    (await import('./import.ts')).importCommands(program, command, act, io, composition),
  detection: async ({ program, command, act, io, composition }) =>
    (await import('./detection.ts')).detectionCommands(program, command, act, io, composition.local),
  replay: async ({ program, command, act, io, composition }) =>
    (await import('./replay.ts')).replayCommands(program, command, act, io, composition),
  policy: async ({ program, command, act, io, composition }) =>
    (await import('./policy.ts')).policyCommands(program, command, act, io, composition),
  incident: async ({ program, command, act, io, composition }) =>
    (await import('./incident.ts')).incidentCommands(program, command, act, io, composition.local),
  drill: async ({ program, command, act, io, composition }) =>
    (await import('./drill.ts')).drillCommands(program, command, act, io, composition.local),
  register: async ({ program, command, act, io, composition }) =>
    (await import('./register.ts')).registerCommands(program, command, act, io, composition.local),
  token: async ({ program, command, act, io, composition }) =>
    (await import('./people.ts')).tokenCommands(program, command, act, io, composition.local),
}

/**
 * The tree of commands, as commander holds it.
 * @param argv only the groups that it names are declared, where it names a command at all; empty: all of them.
 */
export async function declareProgram(
  io: Io,
  composition: Composition,
  argv: readonly string[],
  done: (exit: number) => void,
): Promise<Command> {
  const { say } = io
  const { local } = composition
  const program = new Command('mailwarden')
  inLanguage(program, io)
  program
    .description(say('tagline'))
    .version(composition.version, '-V, --version', say('optionVersion'))
    .option('--config <file>', say('optionConfig'))
    .option('--json', say('optionJson'))
    .addOption(oneOf('--lang <language>', languages, say('optionLang')))
    .option('--token-file <file>', say('optionTokenFile'))
    .exitOverride()
    .showHelpAfterError(false)

  const command: Declare = (parent, usage, description) => parent.command(usage).description(description)
  const act: Act = (declared, run) => {
    declared.action(async () => {
      const words = declared.processedArgs.flat().filter((word): word is string => typeof word === 'string')
      done(await run(words, declared.optsWithGlobals()))
    })
  }

  const parts = { program, command, act, io, composition }
  const isWhole = argv.length === 0 || argv.some(word => ['help', 'completion'].includes(word))
  const group = async (name: keyof typeof groups) => {
    if (isWhole || argv.includes(name)) await groups[name]?.(parts)
  }

  act(
    command(program, 'init [folder]', say('init'))
      .addOption(someOf('--with <systems>', initWords, say('initWith')))
      .option('--domain <name>', say('initDomain'))
      .option('--base <dn>', say('initBase'))
      .option('--ldap <url>', say('initLdap')),
    async ([folder], { with: systems, domain, base, ldap }) =>
      (await import('./init.ts')).initCommand(io, composition, folder ?? '.', { with: systems, domain, base, ldap }),
  )
  act(command(program, 'run', say('run')), async (_, options) =>
    composition.runDaemon(await loadConfig(options, io), io),
  )
  act(command(program, 'validate [path...]', say('validate')), async (paths, options) =>
    (await import('./validate.ts')).validateCommand(io, composition.validate, paths, options),
  )
  act(command(program, 'plan [scope...]', say('plan')).option('--out <file>', say('planOut')), async (scope, options) =>
    (await import('./plan.ts')).planCommand(io, local, scope, options),
  )
  act(
    command(program, 'apply [file]', say('apply'))
      .option('--accept <count>', say('applyAccept'), collect)
      .option('--yes', say('applyYes')),
    async ([file], options) => (await import('./plan.ts')).applyCommand(io, local, file, options),
  )
  await group('adopt')
  await group('import')
  act(command(program, 'verify [scope...]', say('verify')), async (scope, options) =>
    (await import('./plan.ts')).verifyCommand(io, local, scope, options),
  )
  act(command(program, 'status', say('status')), async (_, options) =>
    (await import('./plan.ts')).statusCommand(io, local, options),
  )
  await group('detection')
  act(command(program, 'metrics', say('metrics')), async (_, options) =>
    (await import('./plan.ts')).metricsCommand(io, local, options),
  )
  act(
    command(program, 'explain [login] [recipient]', say('explain'))
      .option('--sender <address>')
      .option('--recipient <address>')
      .option('--client <address>')
      .option('--login <login>')
      .option('--at <instant>')
      .option('--listener <address>', say('explainListener')),
    async (words, options) => (await import('./plan.ts')).explainCommand(io, local, words, options),
  )
  act(command(program, 'forecast', say('forecast')).option('--until <day>', say('forecastUntil')), async (_, options) =>
    (await import('./forecast.ts')).forecastCommand(io, local, composition.todayIn, options),
  )
  await group('replay')
  await group('policy')
  act(
    command(program, 'suspend <scope>', say('suspend'))
      .requiredOption('--reason <text>')
      .addOption(oneOf('--class <class>', incidentClasses).makeOptionMandatory())
      .addOption(someOf('--only <levers>', levers))
      .option('--dry-run')
      .option('--drill'),
    async ([scope], options) => (await import('./incident.ts')).suspendCommand(io, local, scope ?? '', options),
  )
  await group('incident')
  await group('drill')
  act(
    command(program, 'withdraw <domain>', say('withdraw'))
      .addOption(oneOf('--grounds <grounds>', grounds).makeOptionMandatory())
      .option('--reason <text>'),
    async ([domain], options) => (await import('./incident.ts')).withdrawCommand(io, local, domain ?? '', options),
  )
  await group('register')
  await group('token')
  act(command(program, 'password <address>', say('password')).option('--stdin'), async ([address], options) =>
    (await import('./people.ts')).passwordCommand(io, local, address ?? '', options),
  )
  act(command(program, 'doctor', say('doctor')), async (_, options) =>
    (await import('./doctor.ts')).doctorCommand(io, local, options),
  )
  act(command(program, 'schema', say('schema')), async () => (await import('./validate.ts')).schemaCommand(io))
  act(endsWithOneOf(command(program, 'completion [shell]', say('completion')), shells), async ([shell]) =>
    (await import('./completion.ts')).completionCommand(io, program, shell),
  )
  // What is named is no command: the mistake, and what was meant, is told with all of them at hand.
  const isNamed = [...program.commands.map(known => known.name()), '-V', '--version'].some(word => argv.includes(word))
  return isWhole || isNamed ? program : declareProgram(io, composition, [], done)
}
