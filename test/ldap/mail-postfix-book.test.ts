/** The doors of Postfix and Dovecot over slapd, by the names of postfix-book: a file of its own, so that profiles run beside each other. */
import { testMail } from './mail.suite.ts'

testMail('postfix-book')
