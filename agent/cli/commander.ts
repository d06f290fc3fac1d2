/**
 * The words that commander itself prints, in the language of the caller: headings, usage and mistakes of usage. It has
 * no tables of its own to fill, so its English is told by pattern; what no pattern knows stays as it is.
 */
import type { Argument, Command, Help, Option } from 'commander'
import type { Io } from './io.ts'

/** What stands in a usage or help text between brackets. */
const words: Readonly<Record<string, string>> = {
  options: 'opciones',
  command: 'orden',
  file: 'archivo',
  folder: 'carpeta',
  zone: 'zona',
  maillog: 'registro',
  path: 'ruta',
  language: 'idioma',
  scope: 'alcance',
  count: 'cantidad',
  login: 'cuenta',
  recipient: 'destinatario',
  address: 'dirección',
  instant: 'instante',
  text: 'texto',
  class: 'clase',
  levers: 'puertas',
  systems: 'sistemas',
  format: 'formato',
  profile: 'perfil',
  direction: 'sentido',
  shell: 'shell',
  decision: 'decisión',
  name: 'nombre',
  day: 'día',
  days: 'días',
  number: 'número',
  domain: 'dominio',
  grounds: 'causa',
  person: 'persona',
  index: 'número',
  kind: 'tipo',
  subject: 'asunto',
}

const titles: Readonly<Record<string, string>> = {
  'Usage:': 'Uso:',
  'Options:': 'Opciones:',
  'Global Options:': 'Opciones de todas las órdenes:',
  'Commands:': 'Órdenes:',
}

const mistakes: readonly (readonly [RegExp, string])[] = [
  [/^error: missing required argument '(.+)'/, 'error: falta «$1»'],
  [/^error: option '(.+)' argument missing/, 'error: a la opción «$1» le falta su valor'],
  [
    /^error: option '(.+)' argument '(.*)' is invalid\. Allowed choices are (.+)\./,
    'error: la opción «$1» no toma «$2»; toma una de estas: $3.',
  ],
  [/^error: required option '(.+)' not specified/, 'error: falta la opción «$1»'],
  [/^error: unknown option '(.+)'/, 'error: opción desconocida «$1»'],
  [/^error: unknown command '(.+)'/, 'error: orden desconocida «$1»'],
  [
    /^error: too many arguments(?: for '.+')?\. Expected (\d+) arguments? but got (\d+): (.+)\./,
    'error: sobran palabras: se esperaban $1 y hay $2: $3.',
  ],
  [/\(Did you mean one of (.+)\?\)/, '(¿Quiso decir una de estas: $1?)'],
  [/\(Did you mean (.+)\?\)/, '(¿Quiso decir $1?)'],
]

const bracketed = (text: string) =>
  text.replace(/([<[])([a-z]+)/g, (_, bracket: string, word: string) => bracket + (words[word] ?? word))

const mistake = (text: string) =>
  mistakes.reduce((said, [pattern, spanish]) => said.replace(pattern, spanish), text).replace(/«.*?»/g, bracketed)

/** The words that an option takes, where its description does not name them already. */
function describeOption({ description, argChoices = [] }: Option): string {
  const isTold = argChoices.every(word => description.includes(word))
  return isTold ? description : [description, argChoices.join(', ')].filter(Boolean).join(': ')
}

/** Call it before commands are declared: they take it over from their parent. */
export function inLanguage(program: Command, { language, say }: Io): void {
  const spanish = language === 'es'
  const told = (translate: (text: string) => string) => (text: string) => (spanish ? translate(text) : text)
  const plainHelp = program.createHelp()
  const placeholders = told(bracketed)
  const help: Partial<Help> = {
    showGlobalOptions: true,
    styleTitle: told(title => titles[title] ?? title),
    commandUsage: command => placeholders(plainHelp.commandUsage(command)),
    subcommandTerm: command => placeholders(plainHelp.subcommandTerm(command)),
    optionTerm: option => placeholders(plainHelp.optionTerm(option)),
    optionDescription: describeOption,
    argumentTerm: (argument: Argument) => told(name => words[name] ?? name)(argument.name()),
  }
  program
    .configureHelp(help)
    .helpOption('-h, --help', say('optionHelp'))
    .helpCommand('help [command]', say('help'))
    .configureOutput({
      writeOut: text => process.stdout.write(text),
      writeErr: text => process.stderr.write(text),
      outputError: (text, write) => write(told(mistake)(text)),
    })
}
