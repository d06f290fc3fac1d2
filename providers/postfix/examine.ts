/**
 * What in a Postfix configuration keeps mailwarden's levers from working, as findings for `doctor`: who is asked, in
 * which order, what happens when nobody answers, which maps take effect late, and whether strangers may relay
 * (`relay.ts`). SMTPD_POLICY_README, postconf(5). The judgement is pure and changes nothing.
 */
import type { PostfixCommands } from './commands.ts'
import type { PostfixFinding } from './finding.ts'
import {
  type Configuration,
  parseTimeMs,
  readConfiguration,
  type Settings,
  type Smtpd,
  settingsOf,
  splitList,
} from './postconf.ts'
import { atRecipient, beforeRecipient, examineRelay, relayChecks } from './relay.ts'

export async function examinePostfix(
  commands: PostfixCommands,
  policy: readonly string[],
  signal: AbortSignal,
): Promise<readonly PostfixFinding[]> {
  return examineConfiguration(await readConfiguration(commands, signal), policy)
}

/** @param policy addresses that are ours, `inet:127.0.0.1:10031`; any policy service counts when there are none. */
export function examineConfiguration(configuration: Configuration, policy: readonly string[]): PostfixFinding[] {
  const { parameters, smtpds } = configuration
  const findings: PostfixFinding[] = []
  const ids = parameters.get('enable_long_queue_ids') ?? ''
  if (ids !== 'yes')
    findings.push({ code: 'short-queue-ids', parameter: 'enable_long_queue_ids', found: ids, wanted: 'yes' })
  for (const smtpd of smtpds) findings.push(...examineSmtpd(parameters, smtpd, policy))
  findings.push(...examineMaps(configuration))
  // An option of main.cf is seen by every smtpd, and said once.
  const unique = new Map(findings.map(finding => [JSON.stringify(finding), finding]))
  return [...unique.values()]
}

// --- who is asked, and in which order ---

const atData = ['smtpd_data_restrictions', 'smtpd_end_of_data_restrictions'] as const
const wantedList = 'reject_unauth_destination, then check_policy_service, then every permit'

function examineSmtpd(
  parameters: ReadonlyMap<string, string>,
  smtpd: Smtpd,
  policy: readonly string[],
): PostfixFinding[] {
  const settings = settingsOf(parameters, smtpd)
  const clauses = [...atRecipient, ...beforeRecipient, ...atData].flatMap(list =>
    policyClauses(settings.value(list)).map(clause => ({ list, clause })),
  )
  const ours = clauses.filter(({ clause }) => isOurs(clause, policy))
  const found = [...ours.flatMap(({ list, clause }) => examineClause(clause, list, settings))]
  const lists = new Set(ours.map(({ list }) => list))
  const parameter = settings.place('smtpd_recipient_restrictions')
  const value = settings.value('smtpd_recipient_restrictions')
  if (atRecipient.some(list => lists.has(list))) found.push(...examineOrder(settings, policy))
  else if (beforeRecipient.some(list => lists.has(list)))
    found.push({ code: 'policy-without-recipient', parameter, found: [...lists].join(', '), wanted: wantedList })
  else found.push({ code: 'policy-absent', parameter: `${smtpd.name}: ${parameter}`, found: value, wanted: wantedList })
  return [...found, ...examineRelay(settings)]
}

function examineOrder(settings: Settings, policy: readonly string[]): PostfixFinding[] {
  const findings: PostfixFinding[] = []
  // RCPT is judged by both lists one after the other; a permit ends only its own.
  for (const list of atRecipient) {
    const words = splitList(settings.value(list))
    const asked = words.findIndex(
      (word, index) => word === 'check_policy_service' && isOurs(words[index + 1] ?? '', policy),
    )
    if (asked < 0) continue
    const parameter = settings.place(list)
    const permit = words.slice(0, asked).find(isPermit)
    if (permit !== undefined)
      findings.push({ code: 'policy-after-permit', parameter, found: permit, wanted: wantedList })
    const before = relayCheckedBefore(settings, list, words.slice(0, asked))
    if (!before)
      findings.push({
        code: 'policy-before-relay-check',
        parameter,
        found: words.slice(0, asked).join(', '),
        wanted: wantedList,
      })
  }
  return findings
}

/** Whoever passes such a word is never asked about. `permit_mynetworks` counts: a relay's mail is judged too. */
function isPermit(word: string): boolean {
  return word === 'permit' || word.startsWith('permit_')
}

function relayCheckedBefore(settings: Settings, list: string, words: readonly string[]): boolean {
  if (words.some(word => relayChecks.has(word))) return true
  // Where nobody but those with a login gets past the first command, there are no strangers.
  if (beforeRecipient.some(earlier => splitList(settings.value(earlier)).includes('reject'))) return true
  if (list === 'smtpd_relay_restrictions') return false
  const relayFirst = settings.value('smtpd_relay_before_recipient_restrictions') === 'yes'
  return relayFirst && splitList(settings.value('smtpd_relay_restrictions')).some(word => relayChecks.has(word))
}

// --- what happens when the service does not answer ---

/** Twice this and a pause are what a client waits for at most; its own patience ends after minutes. */
const answerMsMax = 10_000

function policyClauses(list: string): string[] {
  const words = splitList(list)
  return words.flatMap((word, index) => (word === 'check_policy_service' ? [words[index + 1] ?? ''] : []))
}

type Clause = {
  readonly address: string
  readonly options: ReadonlyMap<string, string>
  /** Words that are neither an address nor `name=value`. */
  readonly stray: readonly string[]
}

function parseClause(text: string): Clause {
  if (!text.startsWith('{')) return { address: text, options: new Map(), stray: [] }
  const [address = '', ...words] = splitList(text.slice(1, -1))
  const pairs = words.map(word => /^\{?\s*([A-Za-z_]+)\s*=\s*(.*?)\s*\}?$/s.exec(word))
  return {
    address,
    options: new Map(pairs.flatMap(pair => (pair === null ? [] : [[pair[1] ?? '', pair[2] ?? ''] as const]))),
    stray: words.filter((_, index) => pairs[index] === null),
  }
}

function isOurs(clause: string, policy: readonly string[]): boolean {
  return policy.length === 0 || policy.includes(parseClause(clause).address)
}

function examineClause(text: string, list: string, settings: Settings): PostfixFinding[] {
  const { options, stray } = parseClause(text)
  const findings: PostfixFinding[] = []
  // Such an smtpd dies before its banner, and clients wait.
  if (stray.length > 0)
    return [
      {
        code: 'policy-braces',
        parameter: settings.place(list),
        found: stray.join(' '),
        wanted: '{ default_action = 451 4.3.5 text }, in braces of its own',
      },
    ]
  const inForce = (option: string, parameter: string) => ({
    found: options.get(option) ?? settings.value(parameter),
    parameter: options.has(option) ? settings.place(list) : settings.place(parameter),
  })
  const timeout = inForce('timeout', 'smtpd_policy_service_timeout')
  const timeoutMs = parseTimeMs(timeout.found, 's')
  if (timeoutMs === undefined || timeoutMs > answerMsMax)
    findings.push({ code: 'policy-slow', ...timeout, wanted: `at most ${answerMsMax / 1_000}s` })
  const action = inForce('default_action', 'smtpd_policy_service_default_action')
  // In doubt mail waits: neither let through nor sent back.
  if (!/^(?:4\d\d\b|defer\b)/i.test(action.found))
    findings.push({ code: 'policy-default-action', ...action, wanted: '451 4.3.5 text' })
  return findings
}

// --- maps that take effect late ---

/** What a change of the directory must reach at once. */
const liveParameters = [
  'virtual_mailbox_domains',
  'virtual_mailbox_maps',
  'virtual_alias_domains',
  'virtual_alias_maps',
  'relay_domains',
  'relay_recipient_maps',
  'transport_maps',
  'local_recipient_maps',
  'smtpd_sender_login_maps',
  ...atRecipient,
  ...beforeRecipient,
  ...atData,
]

/**
 * Measured with Postfix 3.7: an smtpd goes on with the old content of these until a reload or its own end. A file that
 * proxymap has open is noticed only when proxymap's clients have left.
 */
const staleTypes = /^(?:texthash|regexp|pcre|cidr|inline):|^proxy:(?:hash|btree|cdb|dbm|texthash|regexp|pcre|cidr):/

function examineMaps({ parameters, smtpds }: Configuration): PostfixFinding[] {
  const settings: Settings[] = [
    { value: name => parameters.get(name) ?? '', place: name => name },
    ...smtpds.map(smtpd => settingsOf(parameters, smtpd)),
  ]
  return settings.flatMap(({ value, place }) =>
    liveParameters.flatMap(parameter =>
      splitList(value(parameter))
        .filter(word => staleTypes.test(word))
        .map(found => ({
          code: 'map-needs-reload' as const,
          parameter: place(parameter),
          found,
          wanted: 'lmdb, sqlite, ldap, socketmap or tcp',
        })),
    ),
  )
}
