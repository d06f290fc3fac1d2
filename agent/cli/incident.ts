/** `suspend`, `incident …`, `withdraw`: words and options turned into one operation each. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { sha256 } from '../core/digest.ts'
import { mailDecisions, mailDirections } from '../incident/incident.ts'
import { scopes } from '../model/entity.ts'
import { call, finish, type LocalRunner } from './call.ts'
import { type Act, collect, type Declare, endsWithOneOf, type Options, oneOf } from './declare.ts'
import { evidenceCommands } from './evidence.ts'
import { CommandFailure, exits, type Io, readNamed, wholeNumber } from './io.ts'
import { renderHandover } from './render-handover.ts'
import { renderHeldMail, renderPurge } from './render-held-mail.ts'
import { renderIncident, renderIncidents, renderSuspension } from './render-incident.ts'
import { reportForm } from './report-form.ts'

/** An attached document: its digest goes into the register, its bytes into the case's evidence. */
type Attachment = { readonly name: string; readonly digest: string; readonly base64: string }

const attachmentBytesMax = 512 * 1024

function attach(io: Io, file: string): Attachment {
  const bytes = readNamed(io, file)
  if (bytes.length > attachmentBytesMax)
    throw new CommandFailure(
      exits.badInput,
      io.say('fileLarge', { file, bytes: bytes.length, max: attachmentBytesMax }),
    )
  return { name: file, digest: sha256(bytes), base64: bytes.toString('base64') }
}

export async function suspendCommand(io: Io, local: LocalRunner, scope: string, options: Options): Promise<number> {
  const args = {
    scope,
    reason: options['reason'],
    class: options['class'],
    ...(options['only'] === undefined ? {} : { only: String(options['only']).split(',') }),
    dryRun: options['dryRun'] === true,
    drill: options['drill'] === true,
  }
  const result = await call(io, local, options, 'suspend', args)
  return finish(io, result, json => renderSuspension(json, io.say, io.paint))
}

export async function withdrawCommand(io: Io, local: LocalRunner, domain: string, options: Options): Promise<number> {
  const result = await call(io, local, options, 'withdraw', {
    domain,
    grounds: options['grounds'],
    reason: options['reason'] ?? '',
  })
  return finish(io, result, json => renderSuspension(json, io.say, io.paint))
}

/** The options that choose held messages. */
function chosen(options: Options): Record<string, unknown> {
  const { message, sender, before, direction, recipientClass } = options
  return { messages: message, sender, before, direction, recipientClass }
}

export function incidentCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  const parent = program.command('incident').description(io.say('incident'))
  const run = async (operation: string, args: Record<string, unknown>, options: Options): Promise<number> => {
    const result = await call(io, local, options, operation, args)
    return finish(io, result, json =>
      operation === 'incident.list' ? renderIncidents(json, io.say, io.paint) : renderIncident(json, io.say, io.paint),
    )
  }
  const choosing = (command: Command) =>
    command
      .option('--message <host/id>', io.say('mailMessage'), collect)
      .option('--sender <address>', io.say('mailSender'))
      .option('--before <instant>', io.say('mailBefore'))
      .addOption(oneOf('--direction <in|out>', mailDirections, io.say('mailDirection')))
      .addOption(oneOf('--recipient-class <class>', scopes, io.say('mailClass')))
  act(declare(parent, 'list', io.say('incidentList')).option('--all'), (_, options) =>
    run('incident.list', { all: options['all'] === true }, options),
  )
  act(declare(parent, 'show <id>', io.say('incidentShow')), ([id], options) => run('incident.show', { id }, options))
  act(
    declare(parent, 'report <id>', io.say('incidentReport'))
      .option('--file <file>', io.say('incidentReportFile'))
      .option('--document <file>', io.say('incidentReportDocument'))
      .addHelpText('after', `\n${reportForm(io.language)}`),
    ([id], options) => {
      const fields = options['file'] === undefined ? undefined : attach(io, options['file'])
      const document = options['document'] === undefined ? undefined : attach(io, options['document'])
      return run('incident.report', { id, fields, document }, options)
    },
  )
  act(
    declare(parent, 'action <id>', io.say('incidentAction'))
      .option('--what <text>')
      .option('--who <name>')
      .option('--day <day>')
      .option('--evidence <file>')
      .option('--verify <number>'),
    ([id], options) => {
      const evidence = options['evidence'] === undefined ? undefined : attach(io, options['evidence'])
      const { what, who, day, verify } = options
      return run(
        'incident.action',
        {
          id,
          what,
          who,
          day,
          evidence,
          verify: verify === undefined ? undefined : wholeNumber(io, '--verify', verify),
        },
        options,
      )
    },
  )
  act(declare(parent, 'rotate <id>', io.say('incidentRotate')), ([id], options) =>
    run('incident.rotate', { id }, options),
  )
  act(
    choosing(endsWithOneOf(declare(parent, 'mail <id> [decision]', io.say('incidentMail')), mailDecisions)).option(
      '--list',
      io.say('mailList'),
    ),
    async ([id, decision], options) => {
      const listed = options['list'] === true
      if (listed === (decision !== undefined)) throw new CommandFailure(exits.usage, io.say('mailUsage'))
      const result = await call(io, local, options, listed ? 'incident.held' : 'incident.mail', {
        id,
        decision,
        ...chosen(options),
      })
      return finish(io, result, json =>
        listed ? renderHeldMail(json, io.say) : renderIncident(json, io.say, io.paint),
      )
    },
  )
  act(choosing(declare(parent, 'purge <id>', io.say('incidentPurge'))), async ([id], options) => {
    const result = await call(io, local, options, 'incident.purge', { id, ...chosen(options) })
    return finish(io, result, json => renderPurge(json, io.say, io.paint))
  })
  act(declare(parent, 'accept <id>', io.say('incidentAccept')), ([id], options) =>
    run('incident.accept', { id }, options),
  )
  act(declare(parent, 'return <id>', io.say('incidentReturn')).requiredOption('--points <text>'), ([id], options) =>
    run('incident.return', { id, points: options['points'] }, options),
  )
  act(declare(parent, 'release <id>', io.say('incidentRelease')), ([id], options) =>
    run('incident.release', { id }, options),
  )
  act(declare(parent, 'acknowledge <id>', io.say('incidentAcknowledge')), ([id], options) =>
    run('incident.acknowledge', { id }, options),
  )
  act(declare(parent, 'handover <id>', io.say('incidentHandover')), async ([id], options) => {
    const result = await call(io, local, options, 'incident.show', { id })
    return finish(io, result, json => renderHandover(json, io.say, io.paint))
  })
  act(
    declare(parent, 'duplicate <id>', io.say('incidentDuplicate')).requiredOption('--of <id>', io.say('duplicateOf')),
    ([id], options) => run('incident.duplicate', { id, of: options['of'] }, options),
  )
  act(
    declare(parent, 'close <id>', io.say('incidentClose')).requiredOption(
      '--lessons <file|text>',
      io.say('closeLessons'),
    ),
    ([id], options) => {
      const given = String(options['lessons'])
      const isFile = existsSync(given)
      return run('incident.close', { id, ...(isFile ? { document: attach(io, given) } : { text: given }) }, options)
    },
  )
  act(declare(parent, 'annul <id>', io.say('incidentAnnul')).requiredOption('--reason <text>'), ([id], options) =>
    run('incident.annul', { id, reason: options['reason'] }, options),
  )
  evidenceCommands(parent, declare, act, io, local)
}
