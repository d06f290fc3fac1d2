/**
 * Notices of signs of misuse: codes, numbers, and logins of the institution that is told; never with whom somebody
 * corresponds. Pure but for the template (`notice.ts`).
 */
import type { OutgoingNotice } from '../../providers/provider.ts'
import { formatLocal, parseInstant } from '../core/clock.ts'
import type { Language, Person } from '../model/entity.ts'
import type { World } from '../model/world.ts'
import type { DueSignals, RaisedSignal } from '../world/signals.ts'
import { reachable } from './addressee.ts'
import { renderNotice } from './notice.ts'

/** A code that is recorded and told to nobody has none. */
const words: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  en: {
    'SIG-UNKNOWN-RECIPIENTS': 'mail to names that nobody has',
    'SIG-BOUNCES': 'mail that comes back',
    'SIG-OFF-LAN': 'attempts from outside the network',
    'SIG-RATE': 'more recipients than are permitted',
    'SIG-SCOPE': 'mail beyond what the account may write to',
    'SIG-ADDRESSING': 'many logins from one network outside',
    'SIG-RECIPIENTS': 'more external recipients than is usual',
    'SIG-CLIENTS': 'more places than is usual',
    'SIG-ABUSE-REPORT': 'somebody who is trusted complains about mail from it',
    'SIG-BLOCKLIST': 'listed as a source of unwanted mail',
    'SIG-BLOCKLIST-RELAY': 'listed as a source of unwanted mail: an address that our mail leaves from',
    'SIG-UNKNOWN-RELAY': 'mail that belongs to no registered account',
    'SIG-QUEUE': 'far more mail waits than is usual',
    more: 'and {count} more',
  },
  es: {
    'SIG-UNKNOWN-RECIPIENTS': 'correo a nombres que nadie tiene',
    'SIG-BOUNCES': 'correo que vuelve',
    'SIG-OFF-LAN': 'intentos desde fuera de la red',
    'SIG-RATE': 'más destinatarios de los permitidos',
    'SIG-SCOPE': 'correo más allá del alcance de la cuenta',
    'SIG-ADDRESSING': 'muchas cuentas desde una misma red externa',
    'SIG-RECIPIENTS': 'más destinatarios externos de lo habitual',
    'SIG-CLIENTS': 'más lugares de lo habitual',
    'SIG-ABUSE-REPORT': 'alguien de confianza se queja de su correo',
    'SIG-BLOCKLIST': 'figura en una lista de emisores de correo no deseado',
    'SIG-BLOCKLIST-RELAY':
      'figura en una lista de emisores de correo no deseado: una dirección por la que sale nuestro correo',
    'SIG-UNKNOWN-RELAY': 'correo que no es de ninguna cuenta registrada',
    'SIG-QUEUE': 'espera mucho más correo de lo habitual',
    more: 'y {count} más',
  },
}

/** Null where there is nobody whom it could reach. */
export function makeSignalNotice(due: DueSignals, world: World): OutgoingNotice | null {
  const { operator, mail } = world.config
  const institution = due.institution === null ? undefined : world.institutions.get(due.institution)
  const person: Person | null =
    due.audience === 'operator'
      ? { name: operator.name, email: operator.security ?? mail.hostmaster, phone: null }
      : (institution?.representative ?? null)
  const held = new Set<string>(world.holds.map(hold => hold.scope.domain))
  const to = person === null ? null : reachable(person.email, held)
  if (person === null || to === null) return null
  const language = due.audience === 'operator' ? operator.language : (institution?.language ?? operator.language)
  const line = ({ at, code, level, count, subject, institution: whose }: RaisedSignal) => {
    const when = formatLocal(parseInstant(at) ?? 0, operator.timeZone)
    const what = words[language][code] ?? code
    const of = due.audience === 'operator' && whose !== null ? `${subject ?? '–'} (${whose})` : (subject ?? '–')
    return `${when}  ${level}  ${code} ${count}: ${of}: ${what}`
  }
  const more = due.more === 0 ? [] : [words[language]['more']?.replace('{count}', String(due.more)) ?? '']
  const count = due.signals.length + due.more
  const { subject, text } = renderNotice(`signals-${due.audience}`, language, {
    name: person.name,
    institution: institution?.title ?? operator.name,
    count: String(count),
    points: [...due.signals.map(line), ...more].join('\n'),
    timeZone: operator.timeZone,
    operator: operator.name,
    security: operator.security ?? mail.hostmaster,
  })
  return { id: due.id, to, toName: person.name, from: mail.hostmaster, subject, text, at: due.at }
}
