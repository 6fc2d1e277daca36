/**
 * The urgent channel at the source: a destination that asks for pages, and says whatever else. An
 * input is a byte of settings and steps of four bytes; frames are well-formed, but for noise.
 *
 * @module
 */
import type { ErrorCode, GodwitError, Region } from '@godwit/core'
import { FingerprintTable, PageBitmap } from '@godwit/core'
import { Workspace, createPrimitives } from '@godwit/codec'
import { Link } from '@godwit/link'
import {
  BATCH,
  BATCH_HEADER_BYTES,
  ChannelRole,
  ENTRY,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameType,
  FrameWriter,
  encodeMessage,
  encodePreface,
} from '@godwit/wire'
import { FakeChannel, ManualClock } from '../../../packages/link/test/fixture.ts'
import { FaultBoard } from '../../../packages/source/src/fault-board.ts'
import type { LaneRound } from '../../../packages/source/src/round-work.ts'
import { Urgent } from '../../../packages/source/src/urgent.ts'
import type { Random } from '../mutator.ts'
import { pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { must } from '../target.ts'

const pageBytes = 4096
const seed = new Uint8Array(8)
// Kernels in wasm would be made anew for every input.
const primitives = await createPrimitives()
const hasher = new Workspace(primitives, 0).createHasher('xxh64', seed)
const stepBytes = 4
const stepsMax = 200
const types = Object.values(FrameType)
const preface = { role: ChannelRole.Urgent, index: 0, epoch: 0, session: new Uint8Array(16) }

const regions: readonly Region[] = [
  { id: 7, name: 'small', bytes: new Uint8Array(5 * pageBytes - 1).fill(3) },
  { id: 0, name: 'large', bytes: new Uint8Array(60 * pageBytes) },
]
const pageCounts = [5, 60]
const sent = regions.map((region) => {
  const pages = Math.ceil(region.bytes.length / pageBytes)
  return { region, fingerprints: new FingerprintTable(pages, hasher.entryBytes) }
})
/** What a peer may cause. */
const codes: readonly ErrorCode[] = [
  'CODEC_PAGE_RANGE',
  'PROTOCOL_STATE',
  'WIRE_BODY',
  'WIRE_CHECKSUM',
  'WIRE_FLAGS',
  'WIRE_FRAME_LENGTH',
  'WIRE_FRAME_TYPE',
  'WIRE_SEQUENCE',
]

function pagesOf(bitmap: PageBitmap): readonly number[] {
  return Array.from({ length: bitmap.pageCount }, (_, page) => page).filter((page) => {
    return bitmap.has(page)
  })
}

/** A transport that is done with bytes when it is told to be. */
class SlowChannel extends FakeChannel {
  readonly waiting: (() => void)[] = []

  override write(bytes: Uint8Array, done?: () => void): void {
    super.write(bytes)
    if (done !== undefined) this.waiting.push(done)
  }

  release(most: number): void {
    for (const done of this.waiting.splice(0, most)) done()
  }
}

/** Of the last input, if all of its slots came back: to make one takes longer than to try it. */
let idle: Urgent | undefined
let current: Link

/** A link whose place another can take. */
const standIn: Pick<Link, 'sendMessage' | 'sendInPlace'> = {
  sendMessage: (...args) => current.sendMessage(...args),
  sendInPlace: (...args) => current.sendInPlace(...args),
}

function createUrgent(): Urgent {
  const createHasher = (workspace: Workspace) => workspace.createHasher('xxh64', seed)
  const options = { pageBytes, primitives, createHasher, sent, onLost: () => {} }
  return new Urgent(standIn as Link, options)
}

/** A source's end of the channel, and the destination that it has. */
class Bench {
  readonly channel = new SlowChannel()
  /** How the link ended, if it did. */
  end: string | undefined
  totals: LaneRound | undefined
  readonly #writer = new FrameWriter()
  readonly #left = sent.map(({ fingerprints }) => new PageBitmap(fingerprints.entryCount))
  readonly #toCome: ReadonlySet<string>
  readonly #urgent: Urgent

  constructor(settings: number) {
    const clock = new ManualClock()
    const onLost = (error: GodwitError | undefined): void => {
      const { code = 'clean' } = error ?? {}
      const isPeers = error?.name === 'PeerError' || code === 'clean'
      must(isPeers || codes.includes(code as ErrorCode), `a peer causes ${code}`)
      this.end = code
    }
    const urgent = idle ?? createUrgent()
    this.#urgent = urgent
    idle = undefined
    current = new Link(
      this.channel,
      clock,
      () => ({
        frame: (frame) => urgent.frame(frame),
        closed: (error) => {
          onLost(error)
          urgent.closed(error)
        },
      }),
      onLost,
    )
    this.channel.deliver(encodePreface(preface))
    // Some of the pages are pushed already.
    const skip = (settings >>> 1) % 5
    for (const pages of this.#left) {
      for (let page = skip; page < pages.pageCount; page += 1 + skip) pages.add(page)
    }
    this.#toCome = new Set(
      this.#left.flatMap((pages, index) =>
        pagesOf(pages).map((page) => `${regions[index]!.id}/${page}`),
      ),
    )
    if ((settings & 1) > 0) this.begin()
  }

  begin(): void {
    const push = { left: this.#left, board: new FaultBoard(), fetch: 'demand' } as const
    this.#urgent.begin(3, true, push)
  }

  /** A step of the destination, the transport, or the source. */
  step(what: number, a: number, b: number): void {
    if (this.end !== undefined) return
    if (what < 5) {
      const region = regions[a % 3]?.id ?? 9
      const body = encodeMessage({ name: 'PageRequest', body: { region, page: b % 62 } })
      this.channel.deliver(this.#writer.frame(FrameType.PageRequest, body), 1 + (a & 63))
    } else if (what === 5) this.channel.release(1 + (a & 3))
    else if (what === 6 && a < 8) {
      const body = Uint8Array.of(0x81, b & 255, b >>> 8)
      this.channel.deliver(this.#writer.frame(types[b % types.length]!, body))
    } else if (what === 7 && a < 2) this.channel.deliver(Uint8Array.of(a, b & 255, b >>> 8))
    else if (what === 7 && a === 2) this.channel.close()
  }

  /** The round ends, and what is on its way arrives. */
  finish(): void {
    this.#urgent.end((totals) => {
      must(this.totals === undefined, 'it ends once')
      this.totals = { ...totals }
    })
    for (let i = 0; i < stepsMax && this.channel.waiting.length > 0; i++) this.channel.release(99)
    must(this.totals !== undefined, 'it ends')
  }

  /** Nothing is on its way: another input may have it. */
  giveBack(): void {
    if (this.end === undefined && this.totals !== undefined) idle = this.#urgent
  }

  /** Every page at most once, and only of those that nobody had taken. @returns how many */
  check(): number {
    const seen = new Set<string>()
    for (const frame of this.channel.written) {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
      if (view.getUint16(FRAME.type, true) !== FrameType.Pages) continue
      const region = view.getUint16(FRAME_HEADER_BYTES + BATCH.region, true)
      const entry = FRAME_HEADER_BYTES + BATCH_HEADER_BYTES
      const name = `${region}/${view.getUint32(entry + ENTRY.firstPage, true)}`
      must(view.getUint16(entry + ENTRY.pageCount, true) === 1, 'a page at a time')
      must(this.#toCome.has(name) && !seen.has(name), 'a page is sent once, if it is to come')
      seen.add(name)
    }
    return seen.size
  }
}

function run(input: Uint8Array): string {
  const settings = input[0] ?? 0
  const bench = new Bench(settings)
  for (let at = 1; at + stepBytes <= input.length; at += stepBytes) {
    bench.step(input[at]! & 7, input[at + 1]!, input[at + 2]! | (input[at + 3]! << 8))
  }
  if ((settings & 1) > 0) bench.finish()
  const pages = bench.check()
  if (bench.end !== undefined) return `${bench.end} ${Math.min(pages, 1)}`
  if ((settings & 1) > 0) must(bench.totals!.pages === pages, 'the totals are right')
  bench.giveBack()
  return `right ${Math.min(pages, 40)}`
}

function generate(random: Random): Uint8Array {
  const isCareful = random(4) > 0
  const bytes = [isCareful ? 1 + 2 * random(128) : random(256)]
  for (let left = random(stepsMax); left > 0; left--) {
    const region = isCareful ? random(2) : random(256)
    const page = random(isCareful ? pageCounts[region]! : 62)
    bytes.push(random(isCareful ? 6 : 8), isCareful ? region + 3 * random(20) : region, page, 0)
  }
  return Uint8Array.from(pick([bytes, bytes.slice(0, 41)], random))
}

export const urgentRequests: Target = {
  name: 'urgent-requests',
  seeds: [],
  reaches: ['right', 'CODEC_PAGE_RANGE', 'PROTOCOL_STATE'],
  inputBytesMax: 1 + stepBytes * stepsMax,
  allocatedBytesMax: () => 32 << 20,
  cpuMsMax: 200,
  fieldsOf: (input) => Array.from({ length: input.length }, (_, at) => ({ at, byteCount: 1 })),
  generate,
  run,
}
