/**
 * The log: winston, one JSON object a line, to standard error (the journal keeps it). What comes from outside is data
 * under `data`, never part of a message; control, bidi and escape characters leave as \u escapes (K20).
 */
import { createLogger, format, transports } from 'winston'

export type Level = 'error' | 'warn' | 'info' | 'debug'

export interface Log {
  write(level: Level, event: string, data?: Readonly<Record<string, unknown>>): void
  /** Resolves when everything is written. */
  close(): Promise<void>
}

// JSON escapes control characters itself; these it lets through: C1, bidi controls, line separators.
const unsafe = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escapeUnsafe(line: string): string {
  return line.replace(unsafe, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export function createLog(options: { level: Level; now: () => number }): Log {
  const logger = createLogger({
    level: options.level,
    format: format.printf(({ level, message, data }) =>
      escapeUnsafe(
        JSON.stringify({
          at: new Date(options.now()).toISOString(),
          level,
          event: message,
          ...(data === undefined ? {} : { data }),
        }),
      ),
    ),
    transports: [new transports.Stream({ stream: process.stderr })],
  })
  return {
    write(level, event, data) {
      logger.log({ level, message: event, ...(data === undefined ? {} : { data }) })
    },
    close() {
      return new Promise(resolve => {
        logger.on('finish', () => resolve())
        logger.end()
      })
    },
  }
}

export const silentLog: Log = {
  write() {},
  async close() {},
}
