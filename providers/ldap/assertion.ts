/**
 * The assertion control, RFC 4528: slapd makes the write only while the entry is as the filter says, and answers 122
 * otherwise. With the entry's change number (entryCSN) in it, nobody's write can come between our look and ours.
 */
import { BerWriter, Control, type Filter } from 'ldapts'

const assertionOid = '1.3.6.1.1.12'
const octetString = 0x04

class AssertionControl extends Control {
  readonly #filter: Filter

  constructor(filter: Filter) {
    // Critical: a server that does not know it must refuse, not write regardless.
    super(assertionOid, { critical: true })
    this.#filter = filter
  }

  protected override writeControl(writer: BerWriter): void {
    const value = new BerWriter()
    this.#filter.write(value)
    writer.writeBuffer(value.buffer, octetString)
  }
}

export function onlyWhile(filter: Filter): Control {
  return new AssertionControl(filter)
}
