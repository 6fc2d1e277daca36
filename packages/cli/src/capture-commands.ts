/**
 * `godwit explain` and `godwit verify`: what was captured, read without a network.
 *
 * @module
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { CaptureInput, Verification } from '@godwit/capture'
import { explain, factText, failureText, verificationText, verifyCapture } from '@godwit/capture'
import type { Region } from '@godwit/core'
import { GodwitError, parseBytes } from '@godwit/core'
import type { Command } from 'commander'
import { nodePrimitives } from 'godwit'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { formatError, note, print, printJson } from './output.ts'

interface ExplainSettings {
  readonly pages?: boolean
  readonly json?: boolean
}

interface VerifySettings {
  readonly image?: string
  readonly memoryLimit?: number
  readonly json?: boolean
}

const explainHelp = `
A line for each frame: time, channel, who said it (S: source, D: destination), its number, where it
is in the file, and what it says. Damaged files are told up to the damage (exit code 1).

Examples:
  godwit receive --listen 127.0.0.1:7000 --once --capture move.gwc
  godwit explain move.gwc
  godwit explain --json move.gwc | grep '"frame":"Nak"'`

const verifyHelp = `
Checked are frames, bodies, the order of what was said, every page (it is decoded), totals of
rounds, digests of batches, and of memory where it was verified. Exit code 0: all of it is as
docs/PROTOCOL.md says; 1: something is not, and the first thing is told with its place.

Examples:
  godwit verify move.gwc
  godwit verify move.gwc --image memory.bin`

/** Adds the commands; `finish` gets the exit code. */
export function addCaptureCommands(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command('explain')
    .description('Print what is said in a captured stream (`--capture FILE` of either agent)')
    .argument('<file>', 'a capture')
    .option('--pages', 'with what belongs to the guest: pages, state, registers (hexadecimal)')
    .option('--json', 'one JSON object per line')
    .addHelpText('after', explainHelp)
    .action(async (file: string, settings: ExplainSettings) => {
      finish(await explainFile(file, settings))
    })
  program
    .command('verify')
    .description('Check a captured stream as a whole')
    .argument('<file>', 'a capture')
    .option('--image <FILE>', "write the guest's memory as it was sent; of the last session")
    .option(
      '--memory-limit <SIZE>',
      'memory for the guests in the capture (default: what is available)',
      parseBytes,
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', verifyHelp)
    .action(async (file: string, settings: VerifySettings) => {
      finish(await verifyFile(file, settings))
    })
}

/** Lines between looking whether anybody still reads them. */
const linesPerTurn = 64

async function explainFile(file: string, { pages, json }: ExplainSettings): Promise<ExitCode> {
  let isHeard = true
  process.stdout.once('error', () => {
    isHeard = false
  })
  const input = openInput(file)
  let lines = 0
  let isWrong = false
  try {
    for (const fact of explain(input, { pages: pages === true })) {
      if (fact.type === 'end') isWrong = fact.faults > 0
      if (json === true) printJson(fact)
      else print(factText(fact))
      if (++lines % linesPerTurn === 0) await setImmediate()
      if (!isHeard) break
    }
  } finally {
    input.close()
  }
  return isWrong ? Exit.Failed : Exit.Done
}

async function verifyFile(file: string, settings: VerifySettings): Promise<ExitCode> {
  const { image, memoryLimit = process.availableMemory(), json } = settings
  const input = openInput(file)
  let verification: Verification
  try {
    verification = verifyCapture(input, {
      primitives: await nodePrimitives(),
      memoryBytesMax: memoryLimit,
      ...(image === undefined
        ? {}
        : { onImage: (_session, regions) => writeImage(image, regions) }),
    })
  } finally {
    input.close()
  }
  if (json === true) printJson(verification, 2)
  else print(verificationText(verification))
  const { failure } = verification
  if (failure === undefined) return Exit.Done
  note(formatError({ code: failure.code, message: failureText(failure) }))
  return Exit.Failed
}

/** @throws {GodwitError} `FILE_UNREADABLE` */
function openInput(file: string): CaptureInput & { close(): void } {
  const attempt = <Kind>(work: () => Kind): Kind => {
    try {
      return work()
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      throw new GodwitError('FILE_UNREADABLE', `${file} cannot be read: ${reason}`)
    }
  }
  const descriptor = attempt(() => openSync(file, 'r'))
  return {
    read: (into) => attempt(() => readSync(descriptor, into)),
    close: () => closeSync(descriptor),
  }
}

/** It is a guest's memory: nobody else may read it. */
const ownerOnly = 0o600

/** @throws {GodwitError} `FILE_UNWRITABLE` */
function writeImage(file: string, regions: readonly Region[]): void {
  try {
    const descriptor = openSync(file, 'w', ownerOnly)
    for (const { bytes } of regions) {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    }
    closeSync(descriptor)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
  }
}
