/** Messages about what a command was asked to do and could not: words, tokens, register, guards. Text only. */
import { message } from './words.ts'

export const commandMessages = {
  'E-OPERATION': message(
    'Operación desconocida',
    'El demonio no conoce «{operation}»; es de otra versión. Reinícielo con la de esta orden.',
    'Unknown operation',
    'The daemon does not know "{operation}"; it is of another version. Restart it with that of this command.',
  ),
  'E-TOKEN': message(
    'El token no vale',
    'Es desconocido, está revocado, venció, o su persona no está en la configuración. Pida otro: mailwarden token create.',
    'The token is not valid',
    'It is unknown, revoked or expired, or its person is not in the configuration. Ask for another: mailwarden token create.',
  ),
  'E-REGISTER': message(
    'El registro no se verifica',
    '{findings}. Nada se escribe hasta arreglarlo: reponga la copia más nueva o, si se sabe lo que falta, acéptelo como está: mailwarden register accept --reason TEXTO.',
    'The register does not verify',
    '{findings}. Nothing is written until it is put right: put the newest copy back or, when what is missing is known, take it as it is: mailwarden register accept --reason TEXT.',
  ),
  'E-REGISTER-TRUSTED': message(
    'El registro se verifica',
    'No hay nada que aceptar.',
    'The register verifies',
    'There is nothing to accept.',
  ),
  'E-PROVIDER': message('Un proveedor no lo hizo', '{detail}.', 'A provider did not do it', '{detail}.'),
  'E-PLAN-SCOPE': message(
    'Alcance desconocido',
    'Aquí no hay dominio ni institución «{scope}». Véalos con: mailwarden status.',
    'Unknown scope',
    'There is no domain or institution "{scope}" here. See them with: mailwarden status.',
  ),
  'E-PLAN-FORM': message(
    'No es un plan guardado',
    'El fichero no tiene la forma de un plan. Guarde uno con: mailwarden plan --out FICHERO.',
    'Not a saved plan',
    'The file does not have the form of a plan. Save one with: mailwarden plan --out FILE.',
  ),
  'E-PERSON': message(
    'Persona desconocida',
    'En operator.people no está «{person}». Están: {known}.',
    'Unknown person',
    'There is no "{person}" in operator.people. There are: {known}.',
  ),
  'E-TOKEN-DAYS': message(
    'Plazo incorrecto',
    '--days va de 1 a {max}.',
    'Wrong number of days',
    '--days is 1 to {max}.',
  ),
  'E-PASSWORD-ADDRESS': message(
    'La cuenta no está en el directorio',
    '«{address}» no está en el directorio. Si es nueva, primero: mailwarden apply.',
    'The account is not in the directory',
    '"{address}" is not in the directory. If it is new, first: mailwarden apply.',
  ),
  'E-PASSWORD-LENGTH': message(
    'Contraseña demasiado corta o larga',
    'Una contraseña tiene de {min} a {max} bytes.',
    'Password too short or long',
    'A password has {min} to {max} bytes.',
  ),
  'E-REPORT-FORM': message(
    'El informe no se puede leer',
    '«{file}» no es un solo mapa de YAML o JSON. Sus campos: mailwarden incident report --help.',
    'The report can’t be read',
    '"{file}" is not one map of YAML or JSON. Its fields: mailwarden incident report --help.',
  ),
  'E-GUARD-DELETES': message(
    'Borra demasiado',
    'borraría {count}{recent|phrase}; limits.deletes es {limit}{wrong|phrase}',
    'It deletes too much',
    'it would delete {count}{recent|phrase}; limits.deletes is {limit}{wrong|phrase}',
  ),
  'E-GUARD-EMPTIED': message(
    'Vacía un dominio',
    'se irían las últimas cuentas de {domain}: {count}{wrong|phrase}',
    'It empties a domain',
    'the last accounts of {domain} would go: {count}{wrong|phrase}',
  ),
  'E-GUARD-REMOVED': message(
    'Quita algo vital',
    'se iría {object}{wrong|phrase}',
    'It removes something vital',
    '{object} would go{wrong|phrase}',
  ),
  'E-GUARD-UPDATES': message(
    'Cambia demasiado',
    'cambiaría {count} de {standing} objetos; limits.updatePercent es {limit}{wrong|phrase}',
    'It changes too much',
    'it would change {count} of {standing} objects; limits.updatePercent is {limit}{wrong|phrase}',
  ),
  'E-GUARD-MEMBERS': message(
    'Saca a muchos de las listas',
    '{count} personas saldrían de las listas de distribución; limits.deletes es {limit}{wrong|phrase}',
    'It takes many off the lists',
    '{count} people would leave the distribution lists; limits.deletes is {limit}{wrong|phrase}',
  ),
  'E-GUARD-COUNT': message(
    'La cuenta no coincide',
    '--accept {given} no coincide: el plan tiene {exact}',
    'The count does not match',
    '--accept {given} does not match: the plan has {exact}',
  ),
} as const
