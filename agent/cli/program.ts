/** The commands and their options, declared once; each goes to one thin function. Exit codes are ours (contract section 4). */
import { Command, CommanderError } from 'commander'
import { ProviderFailure } from '../../providers/provider.ts'
import { exitOf } from '../control/protocol.ts'
import { formatDiagnostic } from '../core/messages.ts'
import { grounds } from '../incident/incident.ts'
import { languages } from '../model/entity.ts'
import { incidentClasses, levers } from '../model/incident.ts'
import type { AgentConfig } from '../model/world.ts'
import { formatFailure, RegisterFailure } from '../register/failure.ts'
import { adoptCommands } from './adopt.ts'
import { type LocalRunner, loadConfig } from './call.ts'
import { inLanguage } from './commander.ts'
import { shells } from './completion/tree.ts'
import { completionCommand } from './completion.ts'
import { type Act, collect, type Declare, endsWithOneOf, oneOf, someOf } from './declare.ts'
import { detectionCommands } from './detection.ts'
import { doctorCommand } from './doctor.ts'
import { drillCommands } from './drill.ts'
import { forecastCommand } from './forecast.ts'
import { importCommands } from './import.ts'
import { incidentCommands, suspendCommand, withdrawCommand } from './incident.ts'
import { initCommand, type Snippets } from './init.ts'
import { initWords } from './init-parts.ts'
import { CommandFailure, createIo, type Environment, exits, fileFailure, type Io, languageOf } from './io.ts'
import { passwordCommand, tokenCommands } from './people.ts'
import { applyCommand, explainCommand, metricsCommand, planCommand, statusCommand, verifyCommand } from './plan.ts'
import { policyCommands } from './policy.ts'
import { registerCommands } from './register.ts'
import { replayCommands } from './replay.ts'
import { schemaCommand, type Validator, validateCommand } from './validate.ts'
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
  const program = declareProgram(io, composition, code => {
    exit = code
  })
  try {
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

/** The tree of commands, as commander holds it. */
export function declareProgram(io: Io, composition: Composition, done: (exit: number) => void): Command {
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

  act(
    command(program, 'init [folder]', say('init'))
      .addOption(someOf('--with <systems>', initWords, say('initWith')))
      .option('--domain <name>', say('initDomain'))
      .option('--base <dn>', say('initBase'))
      .option('--ldap <url>', say('initLdap')),
    ([folder], { with: parts, domain, base, ldap }) =>
      initCommand(io, composition, folder ?? '.', { with: parts, domain, base, ldap }),
  )
  act(command(program, 'run', say('run')), async (_, options) =>
    composition.runDaemon(await loadConfig(options, io), io),
  )
  act(command(program, 'validate [path...]', say('validate')), (paths, options) =>
    validateCommand(io, composition.validate, paths, options),
  )
  act(command(program, 'plan [scope...]', say('plan')).option('--out <file>', say('planOut')), (scope, options) =>
    planCommand(io, local, scope, options),
  )
  act(
    command(program, 'apply [file]', say('apply'))
      .option('--accept <count>', say('applyAccept'), collect)
      .option('--yes', say('applyYes')),
    ([file], options) => applyCommand(io, local, file, options),
  )
  adoptCommands(program, command, act, io, local)
  importCommands(program, command, act, io, composition)
  act(command(program, 'verify [scope...]', say('verify')), (scope, options) =>
    verifyCommand(io, local, scope, options),
  )
  act(command(program, 'status', say('status')), (_, options) => statusCommand(io, local, options))
  detectionCommands(program, command, act, io, local)
  act(command(program, 'metrics', say('metrics')), (_, options) => metricsCommand(io, local, options))
  act(
    command(program, 'explain [login] [recipient]', say('explain'))
      .option('--sender <address>')
      .option('--recipient <address>')
      .option('--client <address>')
      .option('--login <login>')
      .option('--at <instant>')
      .option('--listener <address>', say('explainListener')),
    (words, options) => explainCommand(io, local, words, options),
  )
  act(command(program, 'forecast', say('forecast')).option('--until <day>', say('forecastUntil')), (_, options) =>
    forecastCommand(io, local, composition.todayIn, options),
  )
  replayCommands(program, command, act, io, composition)
  policyCommands(program, command, act, io, composition)
  act(
    command(program, 'suspend <scope>', say('suspend'))
      .requiredOption('--reason <text>')
      .addOption(oneOf('--class <class>', incidentClasses).makeOptionMandatory())
      .addOption(someOf('--only <levers>', levers))
      .option('--dry-run')
      .option('--drill'),
    ([scope], options) => suspendCommand(io, local, scope ?? '', options),
  )
  incidentCommands(program, command, act, io, local)
  drillCommands(program, command, act, io, local)
  act(
    command(program, 'withdraw <domain>', say('withdraw'))
      .addOption(oneOf('--grounds <grounds>', grounds).makeOptionMandatory())
      .option('--reason <text>'),
    ([domain], options) => withdrawCommand(io, local, domain ?? '', options),
  )
  registerCommands(program, command, act, io, local)
  tokenCommands(program, command, act, io, local)
  act(command(program, 'password <address>', say('password')).option('--stdin'), ([address], options) =>
    passwordCommand(io, local, address ?? '', options),
  )
  act(command(program, 'doctor', say('doctor')), (_, options) => doctorCommand(io, local, options))
  act(command(program, 'schema', say('schema')), () => schemaCommand(io))
  act(endsWithOneOf(command(program, 'completion [shell]', say('completion')), shells), ([shell]) =>
    completionCommand(io, program, shell),
  )
  return program
}
