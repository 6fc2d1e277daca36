/**
 * Reading, writing and waiting for descriptors on the calling thread, without an event loop of the
 * runtime: system calls that Node does not have, through koffi.
 *
 * @module
 */
import type { Koffi } from './system-calls.ts'
import { koffiOf, refused } from './system-calls.ts'

/** `poll.h`: there is something to read; there is room to write; something is wrong. */
export const POLLIN = 1
export const POLLOUT = 4

/** `asm-generic/errno-base.h`. */
const EINTR = 4
const EAGAIN = 11

/** `sys/eventfd.h`. */
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

/** `sys/socket.h`. */
const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000

/** `sys/socket.h`: this side writes no more. `MSG_NOSIGNAL`: no signal where nobody reads. */
const SHUT_WR = 1
const MSG_NOSIGNAL = 0x4000

/** Calls on descriptors; those that would have to wait return {@link NOT_NOW}. */
export interface DescriptorCalls {
  /** @returns bytes read, 0 at the end, or {@link NOT_NOW}. @throws {GodwitError} `INTERNAL` */
  read(descriptor: number, into: Uint8Array): number
  /** To a socket. @returns bytes taken, or {@link NOT_NOW}. @throws {GodwitError} `INTERNAL` */
  send(descriptor: number, bytes: Uint8Array): number
  /** Ends this side's direction of a socket; of one that is gone already, too. */
  endWriting(descriptor: number): void
  close(descriptor: number): void
  /** Two ends of a connection of this thread to itself. */
  createPair(): readonly [number, number]
  /** An `eventfd`: readable once somebody wrote a number to it. */
  createEvent(): number
  /**
   * Waits until something can be done with one of the descriptors.
   *
   * @param polled - `struct pollfd` each: descriptor, then what to wait for in the lower half of
   *   the second word; what is so is stored in its upper half
   * @param timeoutMs - at most so long; whole milliseconds
   * @returns whether something can be done
   */
  poll(polled: Int32Array, timeoutMs: number): boolean
  /** Lets another thread that wants this core have it for a while. */
  yield(): void
}

export const NOT_NOW = -1

/**
 * @throws {GodwitError} `INTERNAL` with a reason of one line: not Linux, or koffi does not load
 */
export async function loadDescriptorCalls(): Promise<DescriptorCalls> {
  return bind(await koffiOf())
}

function bind(koffi: Koffi): DescriptorCalls {
  const library = koffi.load(null)
  const read = library.func('long read(int descriptor, void *into, size_t byteCount)')
  const send = library.func('long send(int socket, void *bytes, size_t byteCount, int flags)')
  const shutdown = library.func('int shutdown(int socket, int how)')
  const close = library.func('int close(int descriptor)')
  const eventfd = library.func('int eventfd(unsigned int value, int flags)')
  const poll = library.func('int poll(void *polled, unsigned long count, int timeoutMs)')
  const socketpair = library.func('int socketpair(int domain, int type, int protocol, void *pair)')
  const yieldCore = library.func('int sched_yield()')
  const tryAgain = (what: string, call: () => number): number => {
    for (;;) {
      const result = call()
      if (result >= 0) return result
      const errno = koffi.errno()
      if (errno === EAGAIN) return NOT_NOW
      if (errno !== EINTR) throw refused(what, errno)
    }
  }
  return {
    read: (descriptor, into) => {
      return tryAgain('read', () => Number(read(descriptor, into, into.length)))
    },
    send: (descriptor, bytes) => {
      return tryAgain('send', () => Number(send(descriptor, bytes, bytes.length, MSG_NOSIGNAL)))
    },
    endWriting: (descriptor) => void shutdown(descriptor, SHUT_WR),
    // Node would warn of one that its thread did not open.
    close: (descriptor) => void close(descriptor),
    createPair: () => {
      const pair = new Int32Array(2)
      const result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)
      if (result < 0) throw refused('socketpair', koffi.errno())
      return [pair[0]!, pair[1]!]
    },
    createEvent: () => {
      const descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) as number
      if (descriptor < 0) throw refused('eventfd', koffi.errno())
      return descriptor
    },
    // One that was interrupted is like one whose time is over: whoever waits looks again.
    poll: (polled, timeoutMs) => poll(polled, polled.length / 2, timeoutMs) > 0,
    yield: () => void yieldCore(),
  }
}
