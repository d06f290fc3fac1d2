/**
 * What a verification can find: a code, a place and the values of its sentence, in both languages of the operator.
 * A finding is a value, never thrown.
 */

/** Where it is. Ranges include both ends. `line` counts from 1 in an export. */
export type Place =
  | { readonly entry: number }
  | { readonly range: readonly [from: number, to: number] }
  | { readonly checkpoint: number }
  | { readonly witness: string }
  | { readonly line: number; readonly entry?: number; readonly checkpoint?: number }
  | { readonly store: string }

export type Finding = {
  readonly code: FindingCode
  readonly place: Place
  readonly values: Readonly<Record<string, string>>
}

type Sentence = { readonly en: string; readonly es: string }

/** One sentence for each code; `{name}` is a value of the finding. */
export const findingSentences = {
  'entry.changed': {
    en: 'its bytes do not have the recorded leaf hash: the entry was changed',
    es: 'sus bytes no dan el resumen registrado: la entrada fue cambiada',
  },
  'entry.form': { en: 'it is no entry in canonical form', es: 'no es una entrada en forma canónica' },
  'entry.index': {
    en: 'it says that it is entry {says}: moved or swapped',
    es: 'dice ser la entrada {says}: movida o intercambiada',
  },
  'entry.missing': { en: 'missing from the store', es: 'falta en el almacén' },
  'entry.cut': {
    en: 'the end is missing: checkpoint {head} covers it',
    es: 'falta el final: lo cubre el punto de control {head}',
  },
  'entry.unsigned': { en: 'no checkpoint covers it', es: 'ningún punto de control la cubre' },
  'private.changed': {
    en: 'its personal part does not fit its commitment',
    es: 'su parte personal no corresponde a su compromiso',
  },
  'private.missing': {
    en: 'its personal part is gone and no entry says that it was erased',
    es: 'su parte personal falta y ninguna entrada dice que fue borrada',
  },
  'private.kept': {
    en: 'its personal part is there although entry {by} says that it was erased',
    es: 'su parte personal está aunque la entrada {by} dice que fue borrada',
  },
  'private.extra': {
    en: 'a personal part stands where the entry has none',
    es: 'hay una parte personal donde la entrada no tiene ninguna',
  },
  'checkpoint.root': {
    en: 'entries were changed: signed root {signed}, root of the entries {found}',
    es: 'se cambiaron entradas: raíz firmada {signed}, raíz de las entradas {found}',
  },
  'checkpoint.signature': { en: 'its signature is bad', es: 'su firma es mala' },
  'checkpoint.key': { en: 'it is signed with another key', es: 'está firmado con otra clave' },
  'checkpoint.missing': {
    en: 'the checkpoint before it, {previous}, is missing or others were put in',
    es: 'falta el punto de control anterior, {previous}, o se insertaron otros',
  },
  'checkpoint.none': { en: 'there is no checkpoint at all', es: 'no hay ningún punto de control' },
  'witness.behind': {
    en: 'the store ends at {size}, but {witnessed} entries were witnessed at {at} with root {root}: an older copy was put back, or the end is cut',
    es: 'el almacén termina en {size}, pero se atestiguaron {witnessed} entradas el {at} con raíz {root}: se repuso una copia anterior o falta el final',
  },
  'witness.fork': {
    en: 'two histories: at {size} entries the witnessed root is {witnessed}, the root here is {found}',
    es: 'dos historias: con {size} entradas la raíz atestiguada es {witnessed}, la raíz aquí es {found}',
  },
  'witness.form': { en: 'it is no checkpoint', es: 'no es un punto de control' },
  'witness.signature': { en: 'its signature is bad or by another key', es: 'su firma es mala o de otra clave' },
  'witness.origin': {
    en: 'it witnesses another register, {witnessed}; this one is {found}',
    es: 'atestigua otro registro, {witnessed}; este es {found}',
  },
  'witness.missing': {
    en: 'no witness is left although the store has {size} entries',
    es: 'no queda ningún testigo aunque el almacén tiene {size} entradas',
  },
  'key.mismatch': {
    en: 'register.key and register.pub are not one pair',
    es: 'register.key y register.pub no forman un par',
  },
  'store.schema': {
    en: 'its tables are not those that mailwarden made: {object}',
    es: 'sus tablas no son las que hizo mailwarden: {object}',
  },
  'store.structure': {
    en: 'SQLite finds its structure damaged: {detail}',
    es: 'SQLite encuentra dañada su estructura: {detail}',
  },
  'store.unreadable': { en: 'it cannot be read on: {detail}', es: 'no se puede seguir leyendo: {detail}' },
  'store.meta': { en: 'its own description was changed: {object}', es: 'su propia descripción fue cambiada: {object}' },
  'line.form': {
    en: 'it is not a line that an export has at this place',
    es: 'no es una línea que una exportación tenga en este lugar',
  },
  'line.long': { en: 'it is longer than {max} bytes', es: 'pasa de {max} bytes' },
  'export.cut': {
    en: 'the export ends before its closing line',
    es: 'la exportación termina antes de su línea de cierre',
  },
  'export.header': {
    en: 'no checkpoint of the file is signed for the name and with the key that stand here',
    es: 'ningún punto de control del archivo está firmado para el nombre y con la clave que están aquí',
  },
  'export.digest': { en: 'the bytes before it do not have its digest', es: 'los bytes anteriores no dan su resumen' },
  'export.size': {
    en: 'the header says {header} entries, there are {found}',
    es: 'el encabezado dice {header} entradas, hay {found}',
  },
  'export.key': {
    en: 'the export names another public key than the one given',
    es: 'la exportación nombra otra clave pública que la dada',
  },
  'proof.form': {
    en: 'it is no proof in the form of mailwarden-proof/1',
    es: 'no es una prueba en la forma mailwarden-proof/1',
  },
  'proof.path': { en: 'its path does not lead to the signed root', es: 'su camino no lleva a la raíz firmada' },
} as const satisfies Record<string, Sentence>

export type FindingCode = keyof typeof findingSentences
export type Language = keyof Sentence

const words = {
  en: { entry: 'entry', entries: 'entries', to: 'to', checkpoint: 'checkpoint', witness: 'witness', line: 'line' },
  es: {
    entry: 'entrada',
    entries: 'entradas',
    to: 'a',
    checkpoint: 'punto de control',
    witness: 'testigo',
    line: 'línea',
  },
} as const

export function formatPlace(place: Place, language: Language): string {
  const say = words[language]
  if ('line' in place) {
    if (place.entry !== undefined) return `${say.line} ${place.line} (${say.entry} ${place.entry})`
    if (place.checkpoint !== undefined) return `${say.line} ${place.line} (${say.checkpoint} ${place.checkpoint})`
    return `${say.line} ${place.line}`
  }
  if ('entry' in place) return `${say.entry} ${place.entry}`
  if ('range' in place) {
    const [from, to] = place.range
    return from === to ? `${say.entry} ${from}` : `${say.entries} ${from} ${say.to} ${to}`
  }
  if ('checkpoint' in place) return `${say.checkpoint} ${place.checkpoint}`
  if ('witness' in place) return `${say.witness} ${place.witness}`
  return place.store
}

/** One line for people: `entry 57: its bytes do not have …`. */
export function formatFinding(finding: Finding, language: Language = 'en'): string {
  const sentence = findingSentences[finding.code][language].replace(
    /\{(\w+)\}/g,
    (whole, name: string) => finding.values[name] ?? whole,
  )
  return `${formatPlace(finding.place, language)}: ${sentence}.`
}
