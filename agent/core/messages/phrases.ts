/** Parts of sentences that a message chooses by a key (`{reason|phrase}`), and the labels of related places. Text only. */
import type { Phrase } from './words.ts'

const phrase = (es: string, en: string): Phrase => ({ es, en })

export const phrases = {
  'owner.none': phrase('spec.institution debe nombrar una, como texto', 'spec.institution must name one, as text'),
  'owner.twice': phrase('«{domain}» está declarado dos veces', '"{domain}" is declared twice'),
  'contract.over': phrase('terminó el {day}', 'it ended on {day}'),
  'contract.notYet': phrase('se firma el {day}', 'it is signed on {day}'),
  'contract.order': phrase('termina el {day}, antes de firmarse', 'it ends on {day}, before it was signed'),
  'supplement.none': phrase('no está entre los suplementos ({found})', 'it is not among the supplements ({found})'),
  'supplement.notYet': phrase('todavía no está firmado', 'it is not signed yet'),
  'representative.none': phrase('el {day} no hay ninguno', 'on {day} there is none'),
  'representative.two': phrase('hay dos desde el {day}', 'there are two from {day}'),
  'representative.self': phrase('el director, {name}, se nombra a sí mismo', 'the director, {name}, names themself'),
  'capacity.none': phrase('no hay ninguna; añada spec.capacity', 'there is none; add spec.capacity'),
  'capacity.notYet': phrase('es del {day}, y hoy es {today}', 'it is of {day}, and today is {today}'),
  'capacity.over': phrase('venció el {day}, y hoy es {today}', 'it ended on {day}, and today is {today}'),
  'request.none': phrase('falta «request»', '"request" is missing'),
  'request.unknown': phrase(
    'la solicitud «{request}» no está en requests de la institución',
    'request "{request}" is not among the institution\'s requests',
  ),
  'agreement.none': phrase('falta «agreement» con number y date', '"agreement" with number and date is missing'),
  'agreement.noApproval': phrase('falta «approvedBy»', '"approvedBy" is missing'),
  'agreementNumber.form': phrase(
    'number lleva letras, cifras, «/», «.», «-» y al menos una cifra; date es AAAA-MM-DD',
    'number has letters, digits, "/", ".", "-" and at least one digit; date is YYYY-MM-DD',
  ),
  'agreementNumber.future': phrase('es del {date}, y hoy es {today}', 'it is of {date}, and today is {today}'),
  'agreementNumber.other': phrase(
    'el acuerdo {number} del mismo año ya está con otra fecha u otro órgano',
    'agreement {number} of the same year stands already with another date or body',
  ),
  'filer.none': phrase('falta «filedBy»', '"filedBy" is missing'),
  'filer.unknown': phrase('{filedBy} no es representante', '{filedBy} is no representative'),
  'filer.notYet': phrase('{filedBy} todavía no es representante', '{filedBy} is not representative yet'),
  'filer.former': phrase(
    '{filedBy} ya no era representante cuando se tomó el acuerdo',
    '{filedBy} was no longer representative when the agreement was taken',
  ),
  'purpose.holder': phrase('falta el titular', 'the holder is missing'),
  'purpose.purpose': phrase('falta para qué es', 'what it is for is missing'),
  'member.absent': phrase('no está en la relación de personal', 'is not on the roster'),
  'member.left': phrase('dejó la institución el {day}', 'left the institution on {day}'),
  'offLan.access': phrase(
    'access: {found} no descansa en una solicitud firmada y acuñada',
    'access: {found} rests on no signed and stamped request',
  ),
  'offLan.exception': phrase(
    'la solicitud «{found}» de la excepción no existe, o no está firmada y acuñada',
    'request "{found}" of the exception does not exist, or is not signed and stamped',
  ),
  'offLan.alias': phrase('el alias «{found}» sale del dominio', 'the alias "{found}" leaves the domain'),
  'offLan.forward': phrase(
    '«{found}» no existe: no se reenvía ni se recoge correo de fuera',
    '"{found}" does not exist: mail is neither forwarded nor fetched from outside',
  ),
  'waiver.form': phrase('falta «{field}», o no está en regla', '"{field}" is missing or not in order'),
  'waiver.never': phrase(
    '{found} comprueba S35 o S39, que no admiten excepción',
    '{found} checks S35 or S39, which cannot be waived',
  ),
  'waiver.unknown': phrase('{found} no es un control del catálogo', '{found} is no control of the catalogue'),
  'waiver.order': phrase('termina antes de empezar', 'it ends before it begins'),
  'name.label': phrase(
    'el nombre de una institución lleva minúsculas sin tilde, cifras y guiones, hasta 63',
    'the name of an institution has lower-case letters, digits and hyphens, up to 63',
  ),
  'name.domain': phrase(
    'un dominio lleva al menos dos partes de letras, cifras y guiones, como hcg.sld.cu',
    'a domain has at least two parts of letters, digits and hyphens, like hcg.sld.cu',
  ),
  'name.host': phrase('no es el nombre de un servidor', 'it is no name of a server'),
  'name.localpart': phrase(
    'lleva minúsculas sin tilde, cifras, punto, guion y guion bajo, hasta 64, y empieza y acaba en letra o cifra',
    'it has lower-case letters, digits, dot, hyphen and underscore, up to 64, and begins and ends with a letter or digit',
  ),
  'name.target': phrase('no es un dominio ni una dirección', 'it is neither a domain nor an address'),
  'name.suffix': phrase('no es un sufijo de dominio', 'it is no domain suffix'),
  'network.form': phrase(
    'se escribe en forma CIDR, como 10.20.0.0/16, con cuatro números decimales sin ceros delante, o IPv6',
    'write it as CIDR, like 10.20.0.0/16, with four decimal numbers without leading zeros, or IPv6',
  ),
  'network.wide': phrase(
    'es tan ancha que casi todo quedaría dentro; como mínimo /8 en IPv4 y /16 en IPv6',
    'it is so wide that nearly everything would be inside; at least /8 for IPv4 and /16 for IPv6',
  ),
  'network.hostBits': phrase('hay bits puestos detrás del prefijo', 'bits are set behind the prefix'),
  'roster.header': phrase(
    'la primera línea debe nombrar las columnas: id,name,post,until',
    'the first line must name the columns: id,name,post,until',
  ),
  'roster.columns': phrase('la línea tiene {found} columnas', 'the line has {found} columns'),
  'roster.id': phrase('falta el id', 'the id is missing'),
  'roster.until': phrase('until dice «{found}», que no es un día', 'until says "{found}", which is no day'),
  'roster.quote': phrase('unas comillas no cierran', 'a quote is not closed'),
  'roster.long': phrase('pasa de {found} líneas', 'it is over {found} lines'),
  'contact.none': phrase('no tiene ninguna', 'there is none'),
  'contact.inside': phrase('«{found}» está en un dominio propio', '"{found}" is in an own domain'),
  'collector.missing': phrase('falta spec.collector', 'spec.collector is missing'),
  'collector.needless': phrase('aquí sobra spec.collector', 'spec.collector does not belong here'),
  'reserved.role': phrase('lo atiende siempre el administrador', 'the administrator always answers for it'),
  'reserved.administrator': phrase('es el nombre del administrador', 'it is the name of the administrator'),
  'reserved.taken': phrase(
    'es del administrador o del recolector, o de postmaster o abuse',
    'it belongs to the administrator or the collector, or is postmaster or abuse',
  ),
  'taken.account': phrase('otra cuenta', 'another account'),
  'taken.alias': phrase('el alias de otra cuenta', 'the alias of another account'),
  string: phrase('un texto', 'text'),
  integer: phrase('un número entero, sin ceros delante', 'a whole number, without leading zeros'),
  number: phrase('un número', 'a number'),
  fraction: phrase('un número con decimales', 'a number with a fraction'),
  boolean: phrase('true o false', 'true or false'),
  object: phrase('un mapa de campos', 'a map of fields'),
  array: phrase('una lista', 'a list'),
  null: phrase('nada', 'nothing'),
  UNEXPECTED_TOKEN: phrase('hay un signo que aquí no va', 'there is a sign that does not belong here'),
  BAD_INDENT: phrase('la sangría no concuerda', 'the indentation does not match'),
  TAB_AS_INDENT: phrase(
    'hay un tabulador en la sangría; use espacios',
    'there is a tab in the indentation; use blanks',
  ),
  MISSING_CHAR: phrase('falta un signo', 'a sign is missing'),
  MULTILINE_IMPLICIT_KEY: phrase('una clave ocupa varias líneas', 'a key spans several lines'),
  BLOCK_AS_IMPLICIT_KEY: phrase('un mapa empieza dentro de otra línea', 'a map begins within another line'),
  BAD_DQ_ESCAPE: phrase('una secuencia \\ entre comillas no existe', 'an escape sequence in quotes does not exist'),
  BAD_SCALAR_START: phrase(
    'el texto empieza por un signo reservado; póngalo entre comillas',
    'the text begins with a reserved sign; quote it',
  ),
  BLOCK_IN_FLOW: phrase('hay un bloque dentro de { } o [ ]', 'there is a block inside { } or [ ]'),
  KEY_OVER_1024_CHARS: phrase('una clave es demasiado larga', 'a key is too long'),
  other: phrase('no es YAML 1.2', 'it is not YAML 1.2'),
} as const satisfies Readonly<Record<string, Phrase>>

export const labels = {
  first: phrase('aquí está la primera vez', 'it stands here first'),
  other: phrase('aquí está lo otro', 'here is the other one'),
  named: phrase('el manifiesto lo nombra aquí', 'the manifest names it here'),
} as const satisfies Readonly<Record<string, Phrase>>

/** Words of the frame around a message. */
export const frameWords = {
  error: phrase('error', 'error'),
  warning: phrase('aviso', 'warning'),
  meant: phrase('¿Quiso decir «{word}»?', 'Did you mean "{word}"?'),
} as const satisfies Readonly<Record<string, Phrase>>
