/** Messages about what the world and the providers find: queues and what a backend cannot hold. Text only. */
import { message } from './words.ts'

export const planningMessages = {
  'E-QUOTA': message(
    'La cuenta queda en cola',
    '{address} está en cola: {domain} admite {accounts} cuentas, y otras tienen mejor lugar por categoría, fecha del acuerdo y orden (S18, S50 a S55). Suba limits o retire cuentas.',
    'The account is queued',
    '{address} is queued: {domain} takes {accounts} accounts, and others are better placed by category, date of the agreement and order (S18, S50 to S55). Raise limits or withdraw accounts.',
  ),
  'E-HELD-DOMAIN': message(
    'El dominio espera a que termine un incidente',
    '{domain} es nuevo en una institución cuyo dominio {held} está suspendido por {incident}. Se creará cuando el incidente termine (S39).',
    'The domain waits for the end of an incident',
    '{domain} is new in an institution whose domain {held} is suspended by {incident}. It will be made when the incident has ended (S39).',
  ),
  'E-HELD-HOLDER': message(
    'La cuenta espera a que termine un incidente',
    '{address} es nueva y su titular ya tiene {held}, suspendida por {incident}. Se creará cuando el incidente termine (S39).',
    'The account waits for the end of an incident',
    '{address} is new and its holder has {held} already, which {incident} suspends. It will be made when the incident has ended (S39).',
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
  'W-COUNTRY-NETWORKS': message(
    'Los datos de países no caben en el directorio',
    'Las redes de {countries} pasan de {limit} octetos en el directorio. Con «access: national» se entra por IMAP, POP y submission solo desde national.networks y desde la institución: ponga en national.networks las redes desde las que se trabaja.',
    'The country data do not fit into the directory',
    'The networks of {countries} take more than {limit} octets in the directory. With "access: national" one logs in to IMAP, POP and submission from national.networks and the institution alone: put the networks that people work from into national.networks.',
  ),
  'W-LIST-ADDRESS': message(
    'No está en las listas de distribución',
    '{person}, de {institution}, no tiene una dirección a la que escribir y no se inscribe en ninguna lista (S45). Añada su email.',
    'Not on the distribution lists',
    '{person}, of {institution}, has no address to write to and is subscribed to no list (S45). Add their email.',
  ),
  'E-LIST-MEMBER': message(
    'La dirección no puede estar en la lista',
    '{address} no puede inscribirse en {list}: es la propia lista, o no cabe en una línea de texto.',
    'The address cannot be on the list',
    '{address} cannot be subscribed to {list}: it is the list itself, or does not fit a line of text.',
  ),
} as const
