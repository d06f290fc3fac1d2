/**
 * Requests (Solicitudes de Cuentas): signature, stamp, agreement of the directing council, who filed and who approved
 * (S10, S11, S14, S32 to S34, S49). Pure. What is wrong with a request blocks the accounts that rest on it.
 */
import { isDay } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { type Checking, checkDocument } from './checking.ts'
import { type Sheet, spotOf } from './file.ts'
import type { CheckedInstitution } from './institution.ts'
import type { AccountListSpec } from './schema.ts'
import type { Path } from './tree.ts'

type RequestSpec = NonNullable<AccountListSpec['requests']>[number]

export type CheckedRequest = {
  readonly number: string
  readonly sheet: Sheet
  readonly path: Path
  /** undefined when its shape is broken. */
  readonly spec: RequestSpec | undefined
  readonly errors: readonly Diagnostic[]
}

type Agreement = { readonly sheet: Sheet; readonly path: Path; readonly date: string; readonly body: string }

/** The requests and agreements of one institution, over all its lists. */
export type RequestBook = {
  readonly requests: Map<string, CheckedRequest>
  readonly agreements: Map<string, Agreement>
}

export function createRequestBook(): RequestBook {
  return { requests: new Map(), agreements: new Map() }
}

// As offices write them: "41", "41/2026", "No. 41-B". A digit there must be.
const agreementNumberForm = /^(?=.*\d)[\p{L}\d][\p{L}\d ./-]{0,39}$/u
const councilDefault = 'consejo de dirección'

/** Judges one request and enters it into the book of its institution, when there is one. */
export function checkRequest(
  checking: Checking,
  sheet: Sheet<'AccountList'>,
  index: number,
  spec: RequestSpec,
  institution: CheckedInstitution | undefined,
  book: RequestBook,
): CheckedRequest {
  const path = ['spec', 'requests', index]
  const errors: Diagnostic[] = []
  const fail: Fail = (code, at, values, other) => {
    const related = other === undefined ? {} : { related: [other] }
    errors.push(checking.findings.error(code, sheet, [...path, ...at], { request: spec.number, ...values }, related))
  }
  checkDocument(checking, sheet, [...path, 'document'], spec.document)
  checkDocument(checking, sheet, [...path, 'delegation'], spec.delegation)
  if (spec.signed !== true) fail('E-UNSIGNED', ['signed'], {})
  if (spec.stamped !== true) fail('E-UNSTAMPED', ['stamped'], {})
  checkAgreement(checking, sheet, path, spec, book, fail)
  if (institution?.entity !== undefined) checkFiler(checking, spec, institution, fail)
  checkApproval(spec, fail)
  const request: CheckedRequest = { number: spec.number, sheet, path, spec, errors }
  enter(checking, request, book)
  return request
}

type Fail = (
  code: string,
  at: Path,
  values: Readonly<Record<string, string>>,
  other?: { readonly spot: ReturnType<typeof spotOf>; readonly label: string },
) => void

function checkAgreement(
  checking: Checking,
  sheet: Sheet,
  path: Path,
  { agreement }: RequestSpec,
  book: RequestBook,
  fail: Fail,
): void {
  if (agreement === undefined) {
    fail('E-AGREEMENT', [], { reason: 'agreement.none' })
    return
  }
  const { number, date } = agreement
  const values = { number, date, today: checking.today }
  if (!agreementNumberForm.test(number)) {
    fail('E-AGREEMENT-NUMBER', ['agreement', 'number'], { ...values, reason: 'agreementNumber.form' })
  }
  if (!isDay(date)) {
    fail('E-AGREEMENT-NUMBER', ['agreement', 'date'], { ...values, reason: 'agreementNumber.form' })
    return
  }
  if (date > checking.today) {
    fail('E-AGREEMENT-NUMBER', ['agreement', 'date'], { ...values, reason: 'agreementNumber.future' })
  }
  // Unique per institution, number and year; one agreement may cover many requests, but not say two things.
  const key = `${number.trim().toLowerCase()} ${date.slice(0, 4)}`
  const body = (agreement.body ?? councilDefault).trim().toLowerCase()
  const at = [...path, 'agreement', 'number']
  const first = book.agreements.get(key)
  if (first === undefined) book.agreements.set(key, { sheet, path: at, date, body })
  else if (first.date !== date || first.body !== body) {
    const other = { spot: spotOf(first.sheet, first.path), label: 'first' }
    fail('E-AGREEMENT-NUMBER', ['agreement', 'number'], { ...values, reason: 'agreementNumber.other' }, other)
  }
}

function checkFiler(checking: Checking, spec: RequestSpec, institution: CheckedInstitution, fail: Fail): void {
  const { filedBy } = spec
  if (filedBy === undefined) {
    fail('E-NOT-REPRESENTATIVE', [], { reason: 'filer.none', filedBy: '' })
    return
  }
  const { representatives } = institution
  const terms = representatives.flatMap(({ id, from }, index) =>
    id === filedBy ? [{ from, to: representatives[index + 1]?.from }] : [],
  )
  const begun = terms.filter(({ from }) => from <= checking.today)
  // Filing comes after the agreement: an agreement of a later day than the end of the term was filed by someone else.
  const agreed = spec.agreement?.date ?? ''
  if (begun.some(({ to }) => to === undefined || to > checking.today || agreed < to)) return
  const reason = terms.length === 0 ? 'filer.unknown' : begun.length === 0 ? 'filer.notYet' : 'filer.former'
  fail('E-NOT-REPRESENTATIVE', ['filedBy'], { reason, filedBy })
}

function checkApproval({ approvedBy, filedBy, delegation }: RequestSpec, fail: Fail): void {
  // S49: the council's agreement and the director's act, both.
  if (approvedBy === undefined) fail('E-AGREEMENT', [], { reason: 'agreement.noApproval' })
  else if (delegation === undefined && approvedBy === filedBy) {
    fail('E-SAME-PERSON', ['approvedBy'], { person: approvedBy })
  } else if (delegation === undefined && approvedBy !== 'director') {
    fail('E-DELEGATION', ['approvedBy'], { person: approvedBy })
  }
}

/** A request has one number; the same paper may stand in several lists of its institution, two papers may not. */
function enter(checking: Checking, request: CheckedRequest, book: RequestBook): void {
  const first = book.requests.get(request.number)
  if (first === undefined) {
    book.requests.set(request.number, request)
    return
  }
  const sameList = first.sheet === request.sheet
  if (!sameList && JSON.stringify(first.spec) === JSON.stringify(request.spec)) return
  const related = [{ spot: spotOf(first.sheet, [...first.path, 'number']), label: 'first' }]
  const values = { request: request.number }
  checking.findings.error('E-REQUEST-DUPLICATE', request.sheet, [...request.path, 'number'], values, { related })
}
