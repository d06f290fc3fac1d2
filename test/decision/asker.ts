/** A Postfix in a process of its own: asks one question again and again, counts the answers, and marks a file after the first hundred. */
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'

const [, , port, file, question = ''] = process.argv
const socket = createConnection(Number(port), '127.0.0.1')
const request = `${question}\n\n`
let answers = 0
socket.on('connect', () => socket.write(request))
socket.on('data', () => {
  answers += 1
  if (answers === 100) writeFileSync(file ?? '', '')
  socket.write(request)
})
