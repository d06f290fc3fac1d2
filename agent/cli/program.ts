/** The commands and their options, declared once; each goes to one thin function. Exit codes are ours (contract section 4). */
import { Command, CommanderError } from 'commander'
import { ProviderFailure } from '../../providers/provider.ts'
import type { AgentConfig } from '../model/world.ts'
import { adoptCommands } from './adopt.ts'
import { CommandFailure, type LocalRunner, loadConfig } from './call.ts'
import { type Act, collect, type Declare } from './declare.ts'
import { doctorCommand } from './doctor.ts'
import { importCommands } from './import.ts'
import { incidentCommands, suspendCommand, withdrawCommand } from './incident.ts'
import { initCommand, type Snippets } from './init.ts'
import { createIo, type Environment, exits, type Io, languageOf } from './io.ts'
import { passwordCommand, tokenCommands } from './people.ts'
import { applyCommand, explainCommand, planCommand, statusCommand } from './plan.ts'
import { registerCommands } from './register.ts'
import { schemaCommand, type Validator, validateCommand } from './validate.ts'

/** What the composition root lends to the command line. */
export type Composition = {
  readonly version: string
  readonly local: LocalRunner
  readonly validate: Validator
  readonly runDaemon: (config: AgentConfig, io: Io) => Promise<number>
  readonly snippets: Snippets
  readonly today: () => string
}

export async function runProgram(
  argv: readonly string[],
  environment: Environment,
  composition: Composition,
): Promise<number> {
  const io = createIo({ language: languageOf(argv, environment), json: argv.includes('--json'), environment })
  let exit: number = exits.done
  const program = declare(io, composition, code => {
    exit = code
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.done : exits.usage
    if (error instanceof CommandFailure) {
      if (io.json) io.out(JSON.stringify({ version: 1, error: error.message }))
      else io.err(error.message)
      return error.exit
    }
    if (error instanceof ProviderFailure) {
      io.err(error.message)
      return exits.unavailable
    }
    throw error
  }
}

function declare(io: Io, composition: Composition, done: (exit: number) => void): Command {
  const { say } = io
  const { local } = composition
  const program = new Command('mailwarden')
  program.description(say('tagline')).version(composition.version).exitOverride().showHelpAfterError(false)
  program.configureOutput({
    writeOut: text => process.stdout.write(text),
    writeErr: text => process.stderr.write(text),
  })

  /** Declares a command with the options that all have; the action gets arguments, then options. */
  const command: Declare = (parent, usage, description) =>
    parent
      .command(usage)
      .description(description)
      .option('--config <file>', say('optionConfig'))
      .option('--json', say('optionJson'))
      .option('--lang <language>', say('optionLang'))
      .option('--token-file <file>', say('optionTokenFile'))
      .exitOverride()
  const act: Act = (declared, run) => {
    declared.action(async () => {
      const words = declared.processedArgs.flat().filter((word): word is string => typeof word === 'string')
      done(await run(words, declared.opts()))
    })
  }

  act(command(program, 'init [folder]', say('init')), ([folder]) => initCommand(io, composition, folder ?? '.'))
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
  act(command(program, 'status', say('status')), (_, options) => statusCommand(io, local, options))
  act(
    command(program, 'explain [login] [recipient]', say('explain'))
      .option('--sender <address>')
      .option('--recipient <address>')
      .option('--client <address>')
      .option('--login <login>')
      .option('--at <instant>'),
    (words, options) => explainCommand(io, local, words, options),
  )
  act(
    command(program, 'suspend <scope>', say('suspend'))
      .requiredOption('--reason <text>')
      .requiredOption('--class <class>')
      .option('--only <levers>')
      .option('--dry-run')
      .option('--drill'),
    ([scope], options) => suspendCommand(io, local, scope ?? '', options),
  )
  incidentCommands(program, command, act, io, local)
  act(
    command(program, 'withdraw <domain>', say('withdraw'))
      .requiredOption('--grounds <grounds>')
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
  return program
}
