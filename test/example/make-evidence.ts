/**
 * Writes the documents that the example manifests name and that are not there yet: small real PDFs of one page, the
 * same bytes each time. `node test/example/make-evidence.ts [--all] [FOLDER…]`; `--all` writes anew what stands.
 * A name that begins with `falta-` is left out: the example of mistakes needs a document that is missing.
 *
 * PDF 1.4 (ISO 32000-1 section 7.5): header, objects, cross-reference table of 20-byte rows, trailer. Only the
 * standard font Helvetica in WinAnsiEncoding, which holds every Spanish letter, so that nothing is embedded.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMap, isSeq, parseAllDocuments, type YAMLMap } from 'yaml'

type Paper = {
  readonly path: string
  readonly title: string
  readonly lines: readonly string[]
  readonly signer: string
  readonly stamped: boolean
}
type Owner = { readonly title: string; readonly province: string; readonly director: string }
type Manifest = { readonly file: string; readonly kind: string; readonly name: string; readonly spec: YAMLMap }

const lineLengthMax = 78 // characters of 11-point Helvetica that surely fit between the margins of A4

/** Every document of every YAML file below a folder, in the order of their paths. */
function readManifests(folder: string): readonly Manifest[] {
  const manifests: Manifest[] = []
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /\.ya?ml$/.test(name))
  for (const name of names.sort()) {
    const file = join(folder, name)
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
      if (!('contents' in document) || !isMap(document.contents)) continue
      const spec = document.contents.get('spec')
      const key = String(document.contents.getIn(['metadata', 'name']))
      if (isMap(spec)) manifests.push({ file, kind: String(document.contents.get('kind')), name: key, spec })
    }
  }
  return manifests
}

function textAt(map: YAMLMap, ...path: string[]): string {
  const value = map.getIn(path)
  return value === undefined || value === null ? '' : String(value)
}

function mapsAt(map: YAMLMap, key: string): readonly YAMLMap[] {
  const value = map.get(key)
  return isSeq(value) ? value.items.filter(item => isMap(item)) : []
}

/** The papers that an institution's manifest names: contract, supplements, determination of capacity. */
function institutionPapers({ file, spec }: Manifest, owner: Owner): readonly Paper[] {
  const papers: Paper[] = []
  const add = (path: string, title: string, lines: readonly string[]) =>
    papers.push(paper(file, path, title, owner, lines))
  const contract = spec.get('contract')
  if (isMap(contract)) {
    const number = `Contrato No. ${textAt(contract, 'number')}`
    add(textAt(contract, 'document'), 'Contrato de Servicios', [
      number,
      `Firmado el ${textAt(contract, 'signedOn')}, vigente hasta el ${textAt(contract, 'validUntil')}`,
    ])
    for (const supplement of mapsAt(contract, 'supplements')) {
      const type = textAt(supplement, 'type')
      const day = textAt(supplement, 'signedOn')
      const named = type === '3' ? mapsAt(spec, 'representatives').find(one => textAt(one, 'from') === day) : undefined
      const naming = named === undefined ? [] : [`Representante: ${textAt(named, 'name')} (${textAt(named, 'id')})`]
      add(textAt(supplement, 'document'), `Suplemento ${type}`, [`Anexo al ${number}`, `Firmado el ${day}`, ...naming])
    }
  }
  const capacity = spec.get('capacity')
  if (isMap(capacity)) {
    const room = (level: string) => `${textAt(capacity, level, 'used')} de ${textAt(capacity, level, 'capacity')}`
    add(textAt(capacity, 'document'), 'Determinación de capacidad', [
      `Buzones ocupados en los servidores nacionales: ${room('national')}`,
      `Buzones ocupados en los servidores provinciales: ${room('provincial')}`,
      `Determinado el ${textAt(capacity, 'determinedOn')}, válido hasta el ${textAt(capacity, 'validUntil')}`,
    ])
  }
  return papers
}

/** The papers that a list of accounts names: its requests, and delegations of their approval. */
function requestPapers({ file, spec }: Manifest, owner: Owner): readonly Paper[] {
  return mapsAt(spec, 'requests').flatMap(request => {
    const number = textAt(request, 'number')
    const accounts = mapsAt(spec, 'accounts').filter(account => textAt(account, 'request') === number)
    const council = textAt(request, 'agreement', 'number')
    const agreement =
      council === ''
        ? 'Sin acuerdo del Consejo de Dirección'
        : `Acuerdo No. ${council} del ${textAt(request, 'agreement', 'date')}, Consejo de Dirección`
    const asked = {
      ...paper(file, textAt(request, 'document'), 'Solicitud de Cuentas', owner, [
        `Solicitud No. ${number}`,
        agreement,
        `Dominio: ${textAt(spec, 'domain')}`,
        `Cuentas solicitadas: ${accounts.length}`,
        `Presentada por: ${textAt(request, 'filedBy')}`,
      ]),
      stamped: textAt(request, 'stamped') === 'true',
    }
    const delegate = `Se delega en ${textAt(request, 'approvedBy')} la aprobación de la solicitud ${number}`
    return [asked, paper(file, textAt(request, 'delegation'), 'Delegación', owner, [delegate, agreement])]
  })
}

function paper(file: string, path: string, title: string, owner: Owner, lines: readonly string[]): Paper {
  const head = [`Institución: ${owner.title}`, `Provincia: ${owner.province}`]
  return {
    path: path === '' ? '' : resolve(dirname(file), path),
    title,
    lines: [...head, ...lines],
    signer: owner.director,
    stamped: true,
  }
}

function papersOf(manifests: readonly Manifest[]): readonly Paper[] {
  const owners = new Map<string, Owner>()
  const domains = new Map<string, string>()
  for (const { kind, name, spec } of manifests) {
    const director = textAt(spec, 'director', 'name')
    if (kind === 'Institution')
      owners.set(name, { title: textAt(spec, 'title'), province: textAt(spec, 'province'), director })
    if (kind === 'MailDomain') domains.set(name, textAt(spec, 'institution'))
  }
  const nobody: Owner = { title: 'desconocida', province: '-', director: '-' }
  return manifests
    .flatMap(manifest => {
      if (manifest.kind === 'Institution') return institutionPapers(manifest, owners.get(manifest.name) ?? nobody)
      if (manifest.kind !== 'AccountList') return []
      return requestPapers(manifest, owners.get(domains.get(textAt(manifest.spec, 'domain')) ?? '') ?? nobody)
    })
    .filter(one => one.path !== '' && !/(?:^|[\\/])falta-[^\\/]*$/.test(one.path))
}

// ---- PDF

/** A literal string (ISO 32000-1 section 7.3.4.2). What WinAnsi has no place for becomes a question mark. */
function literal(text: string): string {
  return `(${text.replace(/[^\x20-\x7e\xa0-\xff]/gu, '?').replace(/[\\()]/g, '\\$&')})`
}

function wrap(text: string): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= lineLengthMax) lines.push(`${lines.pop()} ${word}`)
    else lines.push(word)
  }
  return lines
}

/** One page A4: title, lines, a line to sign on with the signer's name below, and a round stamp beside it. */
function pageContent({ title, lines, signer, stamped }: Paper): string {
  const body = lines.flatMap(wrap).map(line => `${literal(line)} Tj T*`)
  const stamp = [
    'q 0 0.2 0.6 RG 0 0.2 0.6 rg 1.5 w',
    '460 420 m 460 442 442 460 420 460 c 398 460 380 442 380 420 c 380 398 398 380 420 380 c 442 380 460 398 460 420 c S',
    'BT /F 11 Tf 400 416 Td (CUÑO) Tj ET Q',
  ]
  return [
    `BT /F 18 Tf 72 760 Td ${literal(title)} Tj ET`,
    '72 748 m 523 748 l S',
    `BT /F 11 Tf 16 TL 72 716 Td ${body.join(' ')} ET`,
    '72 420 m 300 420 l S',
    `BT /F 11 Tf 72 404 Td ${literal(signer)} Tj ET`,
    ...(stamped ? stamp : []),
    'BT /F 8 Tf 72 72 Td (Documento de ejemplo con datos inventados; no tiene valor legal.) Tj ET',
  ].join('\n')
}

function formatPdf(paper: Paper): Buffer {
  const content = pageContent(paper)
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R /Lang (es) >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    `<< /Title ${literal(paper.title)} /Producer (mailwarden example) >>`,
  ]
  // Every character is one byte (latin1), so lengths of strings are offsets in the file.
  let text = '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n'
  const rows = ['0000000000 65535 f \n']
  objects.forEach((object, index) => {
    rows.push(`${String(text.length).padStart(10, '0')} 00000 n \n`)
    text += `${index + 1} 0 obj\n${object}\nendobj\n`
  })
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R /Info 6 0 R >>\nstartxref\n${text.length}\n%%EOF\n`
  return Buffer.from(`${text}xref\n0 ${size}\n${rows.join('')}${trailer}`, 'latin1')
}

const folders = process.argv.slice(2).filter(argument => argument !== '--all')
const rewrite = process.argv.includes('--all')
const config = fileURLToPath(new URL('../../config/', import.meta.url))
for (const folder of folders.length > 0 ? folders : [join(config, 'example'), join(config, 'example-mistakes')]) {
  const papers = papersOf(readManifests(folder))
  const missing = papers.filter(one => rewrite || !existsSync(one.path))
  for (const one of missing) {
    mkdirSync(dirname(one.path), { recursive: true })
    writeFileSync(one.path, formatPdf(one))
  }
  console.log(`${folder}: ${papers.length} documents named, ${missing.length} written`)
}
