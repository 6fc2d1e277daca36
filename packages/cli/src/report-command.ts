/**
 * `godwit report`: reports of migrations as a page.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { GodwitError, formatBytes } from '@godwit/core'
import type { Command } from 'commander'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { note, print, writeText } from './output.ts'

const help = `
The page is one file that needs nothing else: no server, no network, no scripts. Reports of the
source and the destination of one migration are shown together, several migrations are compared.

Examples:
  godwit demo --json run.json && godwit report run.json -o report.html
  godwit report source.json destination.json -o report.html
  godwit report plain.json zstd.json post-copy.json -o comparison.html`

/** Adds the command; `finish` gets the exit code. */
export function addReportCommand(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command('report')
    .description('Make a page of what send, receive, demo or bench wrote with --json')
    .argument('<run.json...>', 'reports (godwit.report/1) and results (godwit.bench/1)')
    .requiredOption('-o, --output <FILE.html>', 'where to write it; - is stdout')
    .addHelpText('after', help)
    .action(async (files: readonly string[], { output }: { readonly output: string }) => {
      finish(await report(files, output))
    })
}

async function report(files: readonly string[], output: string): Promise<ExitCode> {
  if (files.some((file) => resolve(file) === resolve(output))) {
    throw new GodwitError('USAGE', `${output} is a report itself; write the page to another file`)
  }
  // Only who wants a page waits for what draws it.
  const { DOCUMENTS_MAX, DOCUMENT_BYTES_MAX, readDocument, renderPage } = await import(
    '@godwit/report'
  )
  if (files.length > DOCUMENTS_MAX) {
    throw new GodwitError('USAGE', `A page has at most ${DOCUMENTS_MAX} reports`)
  }
  const read = (file: string) => readDocument(file, readReport(file, DOCUMENT_BYTES_MAX))
  const page = renderPage(files.map(read))
  if (output === '-') print(page.trimEnd())
  else writeText(output, page)
  if (output !== '-') note(`wrote ${output}, ${formatBytes(Buffer.byteLength(page))}`)
  return Exit.Done
}

/** @throws {GodwitError} `FILE_UNREADABLE` */
function readReport(file: string, bytesMax: number): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new Error('it is no file')
    if (stat.size > bytesMax) throw new Error(`it is longer than ${formatBytes(bytesMax)}`)
    return readFileSync(descriptor, 'utf8')
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNREADABLE', `${file} cannot be read: ${reason}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
