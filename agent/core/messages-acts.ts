/**
 * The words of acts on incidents, withdrawals and tokens, in both languages: refusals (E-), warnings (W-), and what a
 * done act says (M-). Text only; the same form as the other tables of messages.
 */
import { type Message, message, type Phrase } from './messages/words.ts'

export const actMessages = {
  'E-NOT-ALLOWED': message(
    'No permitido',
    '{person}: {reason|phrase}. Puede hacerlo quien tenga uno de estos papeles: {roles}.',
    'Not allowed',
    '{person}: {reason|phrase}. Whoever has one of these roles may: {roles}.',
  ),
  'E-READ-ONLY': message(
    'Solo lectura',
    '{person} es auditor: lo lee todo y no cambia nada (S28).',
    'Read only',
    '{person} is an auditor: reads everything and changes nothing (S28).',
  ),
  'E-TOKEN-NEW': message(
    'El token es demasiado nuevo',
    'El token de {person} se creó en el servidor, sin el token de nadie, después de que esto empezara. Vale dentro de 24 horas, o al momento si lo crea otra persona con su propio token.',
    'The token is too new',
    'The token of {person} was made on the host, by nobody’s token, after this began. It counts in 24 hours, or at once when another person makes one with a token of their own.',
  ),
  'E-SCOPE-UNKNOWN': message(
    'Alcance desconocido',
    'Aquí no hay dominio ni cuenta «{scope}». Escriba un dominio o una dirección completa.',
    'Unknown scope',
    'There is no domain or account "{scope}" here. Write a domain or a whole address.',
  ),
  'E-CLASS': message(
    'Clase de incidente desconocida',
    '«{word}» no es una clase. Son: {known}.',
    'Unknown class of incident',
    '"{word}" is no class. They are: {known}.',
  ),
  'E-LEVER': message(
    'Puerta desconocida',
    '«{word}» no es algo que se pueda cerrar por separado. Son: {known}.',
    'Unknown lever',
    '"{word}" is nothing that can be closed by itself. They are: {known}.',
  ),
  'E-REASON': message(
    'Falta el motivo',
    'Escriba el motivo en palabras, hasta 2000 caracteres; lo que sea más largo se adjunta como documento.',
    'The reason is missing',
    'Give the reason in words, up to 2000 characters; what is longer is attached as a document.',
  ),
  'E-POINTS': message(
    'Faltan los puntos por corregir',
    'Un informe se devuelve con lo que hay que corregir, hasta 2000 caracteres.',
    'The points to mend are missing',
    'A report is returned with what has to be mended, up to 2000 characters.',
  ),
  'E-INCIDENT-UNKNOWN': message(
    'Incidente desconocido',
    'No existe el incidente «{incident}». Véalos con: mailwarden incident list --all.',
    'Unknown incident',
    'There is no incident "{incident}". See them with: mailwarden incident list --all.',
  ),
  'E-INCIDENT-ENDED': message(
    'El incidente ya terminó',
    '{incident}: {how|phrase}. Lo que venga después es otro incidente.',
    'The incident has ended',
    '{incident}: {how|phrase}. What comes after it is another incident.',
  ),
  'E-REPORT-INCOMPLETE': message(
    'El informe de análisis está incompleto',
    '{incident}: falta o no es válido: {missing}. No se acepta por partes; preséntelo completo (S39).',
    'The analysis report is incomplete',
    '{incident}: missing or not valid: {missing}. It is not taken in parts; file it complete (S39).',
  ),
  'E-REPORT-SIZE': message(
    'El informe es demasiado largo',
    'Los campos ocupan {bytes} bytes; el máximo es {max}. Deje el detalle en el documento firmado.',
    'The report is too long',
    'The fields take {bytes} bytes; {max} at most. Leave the detail in the signed document.',
  ),
  'E-NO-REPORT': message(
    'No hay informe de análisis aceptado',
    '{incident}: hace falta el informe de la institución, revisado y aceptado (S39): incident report, luego incident accept.',
    'No analysis report is accepted',
    '{incident}: the institution’s report is needed, reviewed and accepted (S39): incident report, then incident accept.',
  ),
  'E-NO-ACTIONS': message(
    'No hay acciones verificadas',
    '{incident}: hace falta al menos una acción de la institución, verificada por otra persona o por una comprobación (S40): incident action.',
    'No action is verified',
    '{incident}: at least one action of the institution is needed, verified by another person or by a check (S40): incident action.',
  ),
  'E-NOT-ROTATED': message(
    'Los secretos no se han cambiado',
    '{incident}: {reason|phrase}. Los secretos de las cuentas y del administrador se cambian antes de restablecer (S41): incident rotate.',
    'The secrets were not rotated',
    '{incident}: {reason|phrase}. The secrets of accounts and administrator are changed before the release (S41): incident rotate.',
  ),
  'E-HELD-MAIL': message(
    'No se ha decidido sobre el correo retenido',
    '{incident}: hay correo retenido en las colas; decida qué pasa con él (S41): incident mail.',
    'Held mail is undecided',
    '{incident}: mail is held in the queues; decide what becomes of it (S41): incident mail.',
  ),
  'E-TWO-PERSON': message(
    'Hacen falta dos personas distintas',
    '{person} no puede ser quien lo haga: {reason|phrase} (S41).',
    'Two different people are needed',
    '{person} can’t be the one: {reason|phrase} (S41).',
  ),
  'E-WITHDRAWN': message(
    'El servicio fue retirado',
    'El servicio de {domain} fue retirado para siempre. Solo cabe una autorización nueva (S36).',
    'The service was withdrawn',
    'The service of {domain} was withdrawn for good. There is only a new authorisation (S36).',
  ),
  'E-GROUNDS': message(
    'Causa desconocida',
    '«{word}» no es causa para retirar el servicio. Son: {known} (S36).',
    'Unknown grounds',
    '"{word}" is no ground to withdraw a service. They are: {known} (S36).',
  ),
  'E-ACTION-INCOMPLETE': message(
    'La acción está incompleta',
    '{incident}: falta o no es válido: {missing}. Una acción dice qué, quién, qué día (no futuro) y con qué constancia (S40).',
    'The action is incomplete',
    '{incident}: missing or not valid: {missing}. An action says what, who, which day (not to come) and with what proof (S40).',
  ),
  'E-ACTION-UNKNOWN': message(
    'No existe esa acción',
    '{incident} no tiene la acción {action}; tiene {known}.',
    'There is no such action',
    '{incident} has no action {action}; it has {known}.',
  ),
  'E-CHECK-FAILED': message(
    'La comprobación no lo confirma',
    '{incident}: la comprobación {check} no confirma la acción {action}.',
    'The check does not bear it out',
    '{incident}: check {check} does not bear out action {action}.',
  ),
  'E-MAIL-DECISION': message(
    'Decisión desconocida',
    '«{word}» no es una decisión sobre el correo retenido. Son: {known}.',
    'Unknown decision',
    '"{word}" is no decision on held mail. They are: {known}.',
  ),
  'E-EVIDENCE-STORE': message(
    'La evidencia no se pudo guardar',
    '{incident}: el almacén de evidencia dice {why}. Mire el disco de la carpeta de estado y repita.',
    'The evidence could not be kept',
    '{incident}: the evidence store says {why}. Look at the disk of the state folder and try again.',
  ),
  'E-EVIDENCE-NONE': message(
    'No hay tal evidencia',
    '{incident}: esa recogida no existe. Véalas con: mailwarden incident show {incident}; recoja con: mailwarden incident evidence {incident}.',
    'There is no such evidence',
    '{incident}: there is no such bundle. See them with: mailwarden incident show {incident}; collect with: mailwarden incident evidence {incident}.',
  ),
  'E-HANDOVER-FORMAT': message(
    'Formato desconocido',
    '«{word}» no es un formato de entrega. Son: {known}.',
    'Unknown format',
    '"{word}" is no format of a hand-over. They are: {known}.',
  ),
  'E-LEGAL-HOLD': message(
    'La conservación legal está incompleta',
    '{incident}: hacen falta responsable, motivo y día de revisión: --owner, --reason, --review AAAA-MM-DD.',
    'The legal hold is incomplete',
    '{incident}: it needs owner, reason and review day: --owner, --reason, --review YYYY-MM-DD.',
  ),
  'E-LEGAL-HOLD-NONE': message(
    'No hay conservación legal',
    '{incident} no la tiene: no hay nada que terminar.',
    'There is no legal hold',
    '{incident} has none: there is nothing to end.',
  ),
  'M-LEGAL-HOLD': message(
    'Conservación legal',
    '{incident}: se revisa el {review}.',
    'Legal hold',
    '{incident}: to be reviewed on {review}.',
  ),
  'M-LEGAL-HOLD-ENDED': message(
    'Conservación legal terminada',
    '{incident}: su evidencia sigue las reglas de siempre.',
    'Legal hold ended',
    '{incident}: its evidence follows the usual rules.',
  ),
  'W-BREAK-GLASS': message(
    'Sin token personal',
    'Suspendió {person}, sin token personal. Queda anotado y se avisa a seguridad.',
    'Without a personal token',
    '{person} suspended without a personal token. It is on record and security is told.',
  ),
  'W-SCOPE-UNKNOWN': message(
    'Alcance no comprobado',
    'Los manifiestos no se pueden leer enteros y nadie conoce «{scope}»; se anota tal como se escribió. Compruebe el nombre.',
    'Scope not checked',
    'The manifests can’t be read whole and nobody knows "{scope}"; it is recorded as written. Check the name.',
  ),
  'W-APPROVAL-VOID': message(
    'La aprobación anterior ya no vale',
    '{reason|phrase}. La de ahora la sustituye.',
    'The earlier approval no longer counts',
    '{reason|phrase}. The present one takes its place.',
  ),
  'M-SUSPENDED': message('Suspendido', '{scope}: {incident}.', 'Suspended', '{scope}: {incident}.'),
  'M-SUSPENDED-ALREADY': message(
    'Ya estaba suspendido',
    '{scope} ya está suspendido por {incident}; se añadió el motivo.',
    'Already suspended',
    '{scope} is already suspended under {incident}; the reason was added.',
  ),
  'M-WIDENED': message(
    'Suspensión ampliada',
    '{incident} cierra ahora más: {scope}.',
    'Suspension widened',
    '{incident} closes more now: {scope}.',
  ),
  'M-DRILL': message(
    'Simulacro',
    'SIMULACRO {incident}, {scope}: no se cerró nada.',
    'Drill',
    'DRILL {incident}, {scope}: nothing was closed.',
  ),
  'M-REPORT-RECEIVED': message(
    'Informe recibido',
    '{incident}: informe {report}. Falta que otra persona lo revise: incident accept o incident return.',
    'Report received',
    '{incident}: report {report}. Somebody else has to review it: incident accept or incident return.',
  ),
  'M-REPORT-ACCEPTED': message(
    'Informe aceptado',
    '{incident}: informe {report}.',
    'Report accepted',
    '{incident}: report {report}.',
  ),
  'M-REPORT-RETURNED': message(
    'Informe devuelto',
    '{incident}: informe {report}. Se avisa a la institución de los puntos por corregir.',
    'Report returned',
    '{incident}: report {report}. The institution is told what to mend.',
  ),
  'M-ACTION-RECORDED': message(
    'Acción anotada',
    '{incident}: acción {action}. Falta que otra persona la verifique: incident action --verify {action}.',
    'Action recorded',
    '{incident}: action {action}. Somebody else has to verify it: incident action --verify {action}.',
  ),
  'M-ACTION-VERIFIED': message(
    'Acción verificada',
    '{incident}: acción {action}.',
    'Action verified',
    '{incident}: action {action}.',
  ),
  'M-ROTATE-ALLOWED': message(
    'Se pueden cambiar los secretos',
    '{incident}.',
    'The secrets may be rotated',
    '{incident}.',
  ),
  'M-ROTATED': message(
    'Secretos cambiados',
    '{incident}: {rotated} de {expected}.',
    'Secrets rotated',
    '{incident}: {rotated} of {expected}.',
  ),
  'M-MAIL-DECIDED': message(
    'Decidido el correo retenido',
    '{incident}: {decision}.',
    'Held mail decided',
    '{incident}: {decision}.',
  ),
  'M-FIRST': message(
    'Aprobado por la primera persona',
    '{subject}: falta una segunda persona, con el papel {second}, en las próximas 24 horas. Si algo cambia antes, se empieza de nuevo.',
    'Approved by the first person',
    '{subject}: a second person is needed, of role {second}, within the next 24 hours. If anything changes before, it starts anew.',
  ),
  'M-RELEASED': message('Restablecido', '{incident}.', 'Released', '{incident}.'),
  'M-ANNULLED': message(
    'Declarado infundado',
    '{incident}; queda como incidente.',
    'Declared unfounded',
    '{incident}; it stays an incident.',
  ),
  'W-WITNESS': message(
    'El testigo del registro no responde',
    'Lo hecho está en el registro, pero ningún testigo lo ha anotado todavía. Mire sus discos: mailwarden doctor.',
    'The witness of the register does not answer',
    'What was done is in the register, but no witness has noted it yet. Look at their disks: mailwarden doctor.',
  ),
  'M-ENDED-ALREADY': message(
    'Ya había terminado',
    '{incident}: {how|phrase}.',
    'It had ended already',
    '{incident}: {how|phrase}.',
  ),
  'M-WITHDRAWN': message('Servicio retirado', '{domain}, para siempre.', 'Service withdrawn', '{domain}, for good.'),
  'M-WITHDRAWN-ALREADY': message(
    'El servicio ya estaba retirado',
    '{domain} fue retirado; no hay nada más que cerrar.',
    'The service was withdrawn already',
    '{domain} was withdrawn; there is nothing more to close.',
  ),
} as const satisfies Readonly<Record<string, Message>>

/** The words of `{reason|phrase}` and the like in the table above and in that of commands. */
export const actPhrases = {
  'same-person': {
    es: 'ya dio la primera aprobación; la segunda la da otra persona',
    en: 'that person gave the first approval; somebody else gives the second',
  },
  'same-maker': {
    es: 'una de las dos personas creó el token de la otra; que un tercero cree otro token',
    en: 'one of the two people made the other’s token; let a third person make another token',
  },
  author: { es: 'es autor del informe', en: 'that person is the author of the report' },
  'own-report': { es: 'nadie revisa su propio informe', en: 'nobody reviews a report of their own' },
  'own-filing': {
    es: 'quien presentó el informe no lo revisa; lo revisa otra persona',
    en: 'whoever filed the report does not review it; somebody else does',
  },
  'own-action': { es: 'nadie verifica su propia acción', en: 'nobody verifies an action of their own' },
  'first-role': {
    es: 'la primera aprobación la da un responder y la segunda un security-lead',
    en: 'a responder gives the first approval, a security-lead the second',
  },
  'second-role': {
    es: 'la segunda aprobación la da un security-lead',
    en: 'a security-lead gives the second approval',
  },
  declarer: {
    es: 'quien suspendió no da la segunda aprobación',
    en: 'whoever suspended does not give the second approval',
  },
  'void-changed': {
    es: 'la primera aprobación ya no vale: lo aprobado cambió después',
    en: 'the first approval no longer counts: what was approved changed since',
  },
  'void-expired': {
    es: 'la primera aprobación ya no vale: pasaron 24 horas',
    en: 'the first approval no longer counts: it is older than 24 hours',
  },
  'void-role': {
    es: 'la primera aprobación ya no vale: quien la dio ya no tiene ese papel',
    en: 'the first approval no longer counts: who gave it no longer holds the role',
  },
  'void-author': {
    es: 'la primera aprobación ya no vale: quien la dio es autor del informe',
    en: 'the first approval no longer counts: who gave it is the author of the report',
  },
  'no-token': {
    es: 'sin token personal no se puede hacer esto; dé el suyo con --token-file o MAILWARDEN_TOKEN',
    en: 'this takes a personal token; give yours with --token-file or MAILWARDEN_TOKEN',
  },
  'other-role': { es: 'su papel no lo permite', en: 'that person’s role does not permit it' },
  'rotated-none': { es: 'todavía no se ha cambiado ninguno', en: 'none was changed yet' },
  'rotated-part': { es: 'se cambiaron {rotated} de {expected}', en: '{rotated} of {expected} were changed' },
  'guard-recent': { es: ', tras {before} en las últimas 24 horas', en: ', after {before} in the last 24 hours' },
  'guard-wrong': { es: ' (--accept {given} no coincide)', en: ' (--accept {given} does not match)' },
  exists: { es: 'ya estaba y no se hizo aquí', en: 'stands already and was not made here' },
  'mark-lost': {
    es: 'se hizo aquí, pero su marca falta o es de otro objeto',
    en: 'was made here, but its mark is gone or is another object’s',
  },
  'not-in-register': {
    es: 'lleva nuestra marca, pero el registro no lo conoce',
    en: 'carries our mark, but the register does not know it',
  },
  'name-taken': {
    es: 'su nombre lo ocupan registros que no se hicieron aquí, y con ellos no puede estar',
    en: 'its name is taken by records that were not made here, and it cannot stand beside them',
  },
  released: { es: 'restablecido', en: 'released' },
  annulled: { es: 'declarado infundado', en: 'declared unfounded' },
} as const satisfies Readonly<Record<string, Phrase>>
