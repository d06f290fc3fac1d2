/** The script for zsh: one function for each command, each a call of zsh's own `_arguments`. */
import { quoted } from './bash.ts'
import { type ArgumentNode, allCommands, type CommandNode, type OptionNode, type Value } from './tree.ts'

/** Texts in a specification of `_arguments` and of `_describe`: these characters end them. */
const escaped = (text: string) => text.replace(/[\\:[\]]/g, '\\$&')

const functionOf = (path: readonly string[]) => ['_mailwarden', ...path].join('_')

function actionOf(value: Value): string {
  switch (value.kind) {
    case 'one':
      return `(${value.words.map(escaped).join(' ')})`
    case 'list':
      return `_sequence compadd - ${value.words.map(escaped).join(' ')}`
    case 'file':
      return '_files'
    case 'folder':
      return '_files -/'
    // Nothing to choose from. A message (a space here) would keep TAB from completing an option in that place.
    case 'free':
      return '()'
  }
}

function optionSpecs({ names, description, value, times }: OptionNode): string[] {
  const before = times === 'often' ? '*' : names.length > 1 ? `(${names.join(' ')})` : ''
  const told = description === '' ? '' : `[${escaped(description)}]`
  const taken = value === null ? '' : `:${escaped(value.label)}:${actionOf(value)}`
  return names.map(name => {
    // `--name=value` and `--name value`; a short option takes its value from the next word, or joined.
    const form = value === null ? name : name.startsWith('--') ? `${name}=` : `${name}+`
    return quoted(`${before}${form}${told}${taken}`)
  })
}

const argumentSpec = ({ value, need, times }: ArgumentNode) =>
  quoted(
    `${times === 'often' ? '*' : ''}:${need === 'optional' && times === 'once' ? ':' : ''}${escaped(value.label)}:${actionOf(value)}`,
  )

function functionText({ path, commands, options, arguments: places }: CommandNode): string {
  const specs = [...options.flatMap(optionSpecs), ...places.map(argumentSpec)]
  const lines = specs.map(spec => `    ${spec}`)
  if (commands.length === 0) return `${functionOf(path)}() {\n  _arguments -S \\\n${lines.join(' \\\n')}\n}\n`
  const rows = commands.map(({ name, description }) => `    ${quoted(`${escaped(name)}:${description}`)}`)
  const steps = commands.map(command => `        ${quoted(command.name)}) ${functionOf(command.path)} && ret=0 ;;`)
  return `${functionOf(path)}() {
  local curcontext=$curcontext context state state_descr line ret=1
  local -A opt_args
  local -a commands=(
${rows.join('\n')}
  )
  _arguments -C -S \\
${lines.join(' \\\n')} \\
    '(-): :->command' \\
    '(-)*:: :->rest' && ret=0
  case $state in
    command) _describe -t commands ${quoted(['mailwarden', ...path].join(' '))} commands && ret=0 ;;
    rest)
      case $words[1] in
${steps.join('\n')}
      esac
      ;;
  esac
  return ret
}
`
}

export function zshScript(program: CommandNode): string {
  return `#compdef mailwarden
# zsh completion of mailwarden, printed by "mailwarden completion zsh".

${allCommands(program).map(functionText).join('\n')}
# In a folder of fpath this file is the function itself; sourced, it only says which function it is.
if [[ $funcstack[1] == _mailwarden ]]; then
  _mailwarden "$@"
else
  compdef _mailwarden mailwarden
fi
`
}
