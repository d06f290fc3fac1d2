/** Messages about what the world and the providers find: queues and what a backend cannot hold. Text only. */
import { message } from './words.ts'

export const planningMessages = {
  'E-QUOTA': message(
    'La cuenta queda en cola',
    '{address} está en cola: {domain} admite {accounts} cuentas, y otras tienen mejor lugar por categoría, fecha del acuerdo y orden (S18, S50 a S55). Suba limits o retire cuentas.',
    'The account is queued',
    '{address} is queued: {domain} takes {accounts} accounts, and others are better placed by category, date of the agreement and order (S18, S50 to S55). Raise limits or withdraw accounts.',
  ),
  'E-RECORD-SIZE': message(
    'El registro DNS es demasiado grande',
    '{owner} {type} ocupa {octets} octetos y caben {max}. Quite valores.',
    'The DNS record set is too large',
    '{owner} {type} takes {octets} octets and {max} fit. Remove values.',
  ),
  'E-NETWORKS-MAX': message(
    'La lista de redes es demasiado larga',
    'Las redes de {address} ocupan {bytes} octetos y Dovecot admite {limit}. Agrúpelas en redes mayores.',
    'The list of networks is too long',
    'The networks of {address} take {bytes} octets and Dovecot holds {limit}. Join them into larger ones.',
  ),
} as const
