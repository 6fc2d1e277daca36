/**
 * Gives items values, whichever protocol they were asked for in.
 *
 * @module
 */
import { digitsOf, parseU64, putInteger, SPACE } from './ascii.ts'
import { Mark, VALUE_BYTES_MAX } from './layout.ts'
import type { Request } from './request.ts'
import type { NewValue, Store } from './store.ts'

/** Longer expiry times are Unix times (memcached's `REALTIME_MAXDELTA`, 30 days). */
const relativeSecondsMax = 60 * 60 * 24 * 30
const zeroDigit = 0x30

/** One per store. Requests are those whose second token is the key. */
export class ItemWriter {
  readonly #store: Store
  /** For values that are put together here; not guest memory. */
  readonly #scratch = new Uint8Array(VALUE_BYTES_MAX)
  /** The item that was stored last. */
  written = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** Unix time of an `exptime`; 0: never. */
  expiryOf(seconds: number): number {
    if (seconds === 0) return 0
    if (seconds < 0) return 1
    return seconds <= relativeSecondsMax ? this.#store.now + seconds : seconds
  }

  /**
   * Stores the data block of a request.
   *
   * @param found - the item that the key has; 0: none
   * @param expiresAt - see {@link expiryOf}
   */
  put(
    bytes: Uint8Array,
    request: Request,
    found: number,
    { flags, expiresAt }: { readonly flags: number; readonly expiresAt: number },
  ): void {
    this.#set(bytes, request, found, {
      flags,
      expiresAt,
      source: bytes,
      from: request.dataFrom,
      count: request.dataBytes,
    })
  }

  /** `append`, `prepend`. @returns false when it would be too large */
  extend(bytes: Uint8Array, request: Request, found: number, isBehind: boolean): boolean {
    const store = this.#store
    const held = store.valueBytes(found)
    const count = held + request.dataBytes
    if (count > VALUE_BYTES_MAX) return false
    const scratch = this.#scratch
    const heldAt = store.valueAt(found)
    const data = bytes.subarray(request.dataFrom, request.dataFrom + request.dataBytes)
    scratch.set(store.memory.bytes.subarray(heldAt, heldAt + held), isBehind ? 0 : data.length)
    scratch.set(data, isBehind ? held : 0)
    this.#replace(bytes, request, found, count)
    return true
  }

  /**
   * `incr`, `decr`: unsigned 64 bits; `incr` wraps, `decr` stops at 0.
   *
   * @returns what it is then; undefined when the value is no number
   */
  add(
    bytes: Uint8Array,
    request: Request,
    found: number,
    { delta, isUp }: { readonly delta: bigint; readonly isUp: boolean },
  ): bigint | undefined {
    const store = this.#store
    const at = store.valueAt(found)
    const held = store.valueBytes(found)
    // Behind a space there is nothing, as in memcached: see below.
    let digits = 0
    while (digits < held && store.memory.bytes[at + digits] !== SPACE) digits++
    const number = parseU64(store.memory.bytes, at, digits)
    if (number === undefined) return undefined
    const down = number > delta ? number - delta : 0n
    const value = isUp ? BigInt.asUintN(64, number + delta) : down
    const count = putU64(this.#scratch, value)
    // A number does not get shorter in its place: spaces follow it, as in memcached.
    if (count < held) this.#scratch.fill(SPACE, count, held)
    // A number that fits its place is still the same item.
    const isSame = count <= held
    const marks = store.marks(found) & (isSame ? 0xff : Mark.BinaryKey)
    const isFetched = isSame && store.isFetched(found)
    this.#replace(bytes, request, found, Math.max(count, held))
    if (marks !== 0) store.setMarks(this.written, marks)
    if (isFetched) store.setFetched(this.written, true)
    return value
  }

  /** Gives a key that there is not a number. */
  putNumber(bytes: Uint8Array, request: Request, value: bigint, expirySeconds: number): void {
    const expiresAt = this.expiryOf(expirySeconds)
    const count = putU64(this.#scratch, value)
    this.#set(bytes, request, 0, { flags: 0, expiresAt, source: this.#scratch, from: 0, count })
  }

  /** Gives an item the first bytes of the scratch as its value; flags and expiry stay. */
  #replace(bytes: Uint8Array, request: Request, found: number, count: number): void {
    const store = this.#store
    this.#set(bytes, request, found, {
      flags: store.flags(found),
      expiresAt: store.expiresAt(found),
      source: this.#scratch,
      from: 0,
      count,
    })
  }

  #set(bytes: Uint8Array, request: Request, found: number, value: NewValue): void {
    this.written = this.#store.set(bytes, request.starts[1]!, request.lengths[1]!, found, value)
  }
}

/** As decimal text at the start of `into`. @returns how many bytes that is */
export function putU64(into: Uint8Array, value: bigint): number {
  const safe = Number(value)
  if (Number.isSafeInteger(safe)) return putInteger(into, 0, safe)
  const high = Number(value / 10n ** 15n)
  const low = Number(value % 10n ** 15n)
  const end = putInteger(into, 0, high) + 15
  into.fill(zeroDigit, end - 15, end)
  putInteger(into, end - digitsOf(low), low)
  return end
}
