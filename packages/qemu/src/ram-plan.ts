/**
 * Which files the memory of a VM that is offered goes to, as the user's command has places for it.
 *
 * @module
 */
import {
  formatBytes,
  GIB,
  GodwitError,
  type GuestOffer,
  isPageBytes,
  LimitError,
  ProtocolError,
  type RegionShape,
} from '@godwit/core'
import type { BlockRegions } from './block-regions.ts'
import { checkInOneFile, type MachineFacts, ramBytes } from './machine-facts.ts'
import { backendOf } from './memory-backends.ts'
import { namedFiles, type QemuCommand } from './qemu-config.ts'
import { readQemuIdentity } from './qemu-spec.ts'
import { ramShapes } from './ram-file.ts'
import { isStreamOffer, readStreamOffer, type StreamOffer } from './stream-offer.ts'

/** Of blocks without a file: displays have the largest. They are in the pause. */
const otherBytesMax: number = 1 * GIB
/** Of a VM's blocks, in a text. */
const toldMax = 4

/** A file that is to be made. */
export interface PlannedFile {
  /** It is for `{ram:NAME}`; undefined: for `{ram}`. */
  readonly name: string | undefined
  readonly byteLength: number
  /** What is in it, of a VM that comes as a stream. */
  readonly block: BlockRegions | undefined
}

/** What a VM gets. */
export interface RamPlan {
  readonly facts: MachineFacts
  readonly files: readonly PlannedFile[]
  /** Of memory in all, with that of devices where it is not in their state. */
  readonly totalBytes: number
  readonly stream: StreamOffer | undefined
}

/**
 * Checks what a peer offers, and finds its places.
 *
 * @throws {GodwitError} `GUEST_UNKNOWN`; `GUEST_OPTION`: they do not fit
 * @throws {ProtocolError} `PAGE_SIZE_MISMATCH` {@link LimitError} `LIMIT_EXCEEDED`
 */
export function planRam(offer: GuestOffer, command: QemuCommand): RamPlan {
  return isStreamOffer(offer)
    ? planBlocks(readStreamOffer(offer), command)
    : planOneFile(offer, command)
}

/** Whether all RAM is in one file, by which the VM can be moved on. */
export function isInOneFile({ facts, files }: RamPlan): boolean {
  return files.length === 1 && files[0]!.byteLength === ramBytes(facts)
}

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

function planOneFile(offer: GuestOffer, command: QemuCommand): RamPlan {
  const facts = readQemuIdentity(offer.identity)
  checkInOneFile(facts)
  if (!isPageBytes(offer.pageBytes)) {
    throw new ProtocolError('PAGE_SIZE_MISMATCH', `${offer.pageBytes} is not a page size`)
  }
  const shapes = ramShapes(facts.memory)
  const isSame = ({ id, byteLength }: RegionShape, index: number): boolean =>
    offer.regions[index]?.id === id && offer.regions[index].byteLength === byteLength
  if (offer.regions.length !== shapes.length || !shapes.every(isSame)) {
    const memory = formatBytes(facts.memory)
    refuse(`The regions that are offered are not those of ${memory} of RAM`)
  }
  const [name] = namedFiles(command)
  if (name !== undefined) {
    refuse(
      'The VM that is offered has all of its RAM in one file (attach=file), and "command" here ' +
        `has {ram:${name}}, which is for attach=stream`,
    )
  }
  const file = { name: undefined, byteLength: facts.memory, block: undefined }
  return { facts, files: [file], totalBytes: facts.memory, stream: undefined }
}

function planBlocks(stream: StreamOffer, command: QemuCommand): RamPlan {
  const { facts, blocks } = stream
  const names = namedFiles(command)
  const named = names.map((name) => {
    const block = blocks.find((one) => backendOf(one.name) === name)
    return (
      block ?? refuse(`"command" has {ram:${name}}: the VM that is offered has ${told(blocks)}`)
    )
  })
  const files = named.map((block) => plannedFile(block, backendOf(block.name)))
  if (command.some((part) => part.includes('{ram}'))) {
    const rest = blocks.filter((block) => !named.includes(block))
    const main = rest.find(({ byteLength }) => byteLength === facts.memory)
    files.unshift(plannedFile(main ?? refuseMain(stream)))
  }
  const totalBytes = sum(blocks)
  const otherBytes = totalBytes - sum(files)
  if (otherBytes > otherBytesMax) {
    const text =
      `${formatBytes(otherBytes)} of the VM's memory have no file, where the most is 1 GiB: it ` +
      `has ${told(blocks)}; {ram:NAME} in "command" is a file for one`
    const limit = { limit: 'deviceMemoryBytesMax', value: otherBytes, maximum: otherBytesMax }
    throw new LimitError('LIMIT_EXCEEDED', text, limit)
  }
  return { facts, files, totalBytes, stream }
}

function plannedFile(block: BlockRegions, name?: string): PlannedFile {
  return { name, byteLength: block.byteLength, block }
}

function refuseMain({ facts, blocks }: StreamOffer): never {
  const memory = formatBytes(facts.memory)
  return refuse(
    `"command" has {ram}, a file for memory in one piece, and the ${memory} of the VM that is ` +
      `offered are in several: it has ${told(blocks)}; {ram:NAME} is a file for one`,
  )
}

function sum(parts: readonly { readonly byteLength: number }[]): number {
  return parts.reduce((bytes, { byteLength }) => bytes + byteLength, 0)
}

/** The largest. */
function told(blocks: readonly BlockRegions[]): string {
  const sorted = blocks.toSorted((a, b) => b.byteLength - a.byteLength)
  const texts = sorted.map(({ name, byteLength }) => `"${name}" of ${formatBytes(byteLength)}`)
  return texts.slice(0, toldMax).join(', ') + (texts.length > toldMax ? ', ...' : '')
}
