/**
 * The system calls that Node does not have, through koffi. Nothing else of the package knows koffi,
 * numbers of system calls, or the layout of the kernel's structures.
 *
 * @module
 */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import { GodwitError } from '@godwit/core'

/** What `import('koffi')` gives. */
export type Koffi = typeof import('koffi')
type NativeFunction = ReturnType<ReturnType<Koffi['load']>['func']>

/** `__NR_userfaultfd` of `asm/unistd.h`: x64 has numbers of its own, arm64 the generic ones. */
const userfaultfdNumbers: Readonly<Record<string, number>> = { x64: 323, arm64: 282 }

/** `_SC_PAGESIZE` of `bits/confname.h`; the same in musl. */
const SC_PAGESIZE = 30

/** `asm-generic/fcntl.h`: the descriptor is closed when another program is executed. */
const O_CLOEXEC = 0o2000000

/** `asm-generic/fcntl.h`: reading what is not there says so. Userfaults are polled. */
const O_NONBLOCK = 0o4000

/**
 * `UFFD_USER_MODE_ONLY` of `linux/userfaultfd.h`: no privilege is needed. It leaves out faults that
 * the kernel raises *and a monitor has to resolve*; with asynchronous write protection the kernel
 * resolves them itself, so that stores by system calls (`read` into the memory) are tracked, too.
 */
export const UFFD_USER_MODE_ONLY = 1

/** `MADV_DONTNEED` of `asm-generic/mman-common.h`: contents are dropped, now. */
const MADV_DONTNEED = 4
/** `MADV_HUGEPAGE` of the same: huge pages where they can be had. */
const MADV_HUGEPAGE = 14
/** Of Linux 5.14: all pages are there when it returns, as if each had been stored to. */
const MADV_POPULATE_WRITE = 23

/** Protection and kind of a mapping: `asm-generic/mman-common.h`, `linux/mman.h`. */
const PROT_READ_WRITE = 1 | 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_FIXED = 0x10
const MAP_ANONYMOUS = 0x20

/** `linux/fs.h`: the next byte that is not in a hole, and the next hole. */
const SEEK_DATA = 3
const SEEK_HOLE = 4

/** `asm-generic/errno-base.h`: there is nothing behind that place. */
const ENXIO = 6

/** `F_DUPFD_CLOEXEC` of `linux/fcntl.h`: the lowest descriptor that is free, closed on `exec`. */
const F_DUPFD_CLOEXEC = 1030

/** Requests to a userfaultfd: `_IOWR(0xAA, ...)` of `linux/userfaultfd.h`. */
export const UFFDIO_API = 0xc018aa3f
export const UFFDIO_REGISTER = 0xc020aa00
/** Declared with `_IOR` although the kernel reads the argument; the header excuses itself. */
export const UFFDIO_UNREGISTER = 0x8010aa01
export const UFFDIO_WRITEPROTECT = 0xc018aa06
export const UFFDIO_WAKE = 0x8010aa02
/** Allocates pages, fills them, puts them in place and wakes who waits for them, in one step. */
export const UFFDIO_COPY = 0xc028aa03
export const UFFDIO_ZEROPAGE = 0xc020aa04

/** `UFFD_API`: the only version of the interface. */
export const UFFD_API = 0xaa
/** `UFFD_FEATURE_WP_UNPOPULATED` (Linux 6.4): pages that were never touched can be protected. */
export const UFFD_FEATURE_WP_UNPOPULATED: number = 1 << 13
/** `UFFD_FEATURE_WP_ASYNC` (Linux 6.7): the kernel itself lifts the protection at a store. */
export const UFFD_FEATURE_WP_ASYNC: number = 1 << 15
/** `UFFD_EVENT_PAGEFAULT`: a thread touched what is not there, and waits. */
export const UFFD_EVENT_PAGEFAULT = 0x12
/** `UFFDIO_REGISTER_MODE_MISSING`: pages that are not there are a fault. */
export const UFFDIO_REGISTER_MODE_MISSING = 1
/** `UFFDIO_REGISTER_MODE_WP`: the range is there to be write-protected, nothing else. */
export const UFFDIO_REGISTER_MODE_WP = 2
/** `UFFDIO_WRITEPROTECT_MODE_WP`: protect; without it, the request would lift protection. */
export const UFFDIO_WRITEPROTECT_MODE_WP = 1

/** `PAGEMAP_SCAN`, `_IOWR('f', 16, struct pm_scan_arg)` of `linux/fs.h` (Linux 6.7). */
export const PAGEMAP_SCAN = 0xc0606610
/** `PM_SCAN_WP_MATCHING`: protect the pages that are reported, in one step with finding them. */
export const PM_SCAN_WP_MATCHING = 1
/** `PM_SCAN_CHECK_WPASYNC`: fail, rather than find nothing, where the range is not registered. */
export const PM_SCAN_CHECK_WPASYNC = 2
/** `PAGE_IS_WRITTEN`: stored to since it was protected last. */
export const PAGE_IS_WRITTEN = 2
/** `PAGE_IS_PRESENT`: in memory. */
export const PAGE_IS_PRESENT: number = 1 << 3
/** `PAGE_IS_SWAPPED`: swapped out; or never touched, and protected all the same. */
export const PAGE_IS_SWAPPED: number = 1 << 4
/** `PAGE_IS_PFNZERO`: the kernel's own page of zeros, which loads of untouched memory get. */
export const PAGE_IS_PFNZERO: number = 1 << 5

/** The kernel's services; all of them synchronous, on the calling thread. */
export interface SystemCalls {
  /** Bytes that the kernel protects as one: 4096 on x64, up to 65536 on arm64. */
  readonly kernelPageBytes: number
  /**
   * Where the first byte is in the address space: below 2 ** 53 on every supported machine. It
   * stays true while the bytes are in use, for shared memory; an `ArrayBuffer` may be moved.
   */
  addressOf(bytes: Uint8Array): number
  /**
   * `fcntl(F_DUPFD_CLOEXEC)`: another descriptor of the same file or socket, which the caller
   * closes.
   *
   * @throws {GodwitError} `INTERNAL` with the kernel's reason: it is not open, or too many are
   */
  duplicate(descriptor: number): number
  /**
   * Opens a userfaultfd whose reads do not block; the caller closes it with `fs.closeSync`.
   *
   * @param flags - {@link UFFD_USER_MODE_ONLY} or 0
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  openUserfault(flags: number): number
  /**
   * `ioctl(2)`; `argument` is a structure of 64-bit fields, read and written in place.
   *
   * @throws {GodwitError} `INTERNAL`: `what` failed, with the kernel's reason
   */
  ioctl(what: string, descriptor: number, request: number, argument: BigUint64Array): number
  /** {@link SystemCalls.ioctl} that returns the negative error number where it fails. */
  tryIoctl(descriptor: number, request: number, argument: BigUint64Array): number
  /** `read(2)`: the number of bytes, or the negative error number. */
  tryRead(descriptor: number, into: Uint8Array): number
  /**
   * `madvise(MADV_DONTNEED)`: memory without a file behind it loses its content.
   *
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  dropPages(start: number, byteLength: number): void
  /** `madvise(MADV_HUGEPAGE)`. @returns 0, or the negative error number */
  tryHugePages(start: number, byteLength: number): number
  /**
   * `madvise(MADV_POPULATE_WRITE)` on another thread. The memory must stay until it resolves.
   *
   * @returns whether all pages are there
   */
  populate(start: number, byteLength: number): Promise<boolean>
  /**
   * `mmap(MAP_SHARED | MAP_FIXED)`: puts a part of a file in the place of memory, whose content is
   * lost. All in whole pages of the kernel. Where that fails the memory is left, and zero.
   *
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  mapFile(start: number, byteLength: number, descriptor: number, offset: number): void
  /** Fresh private memory in the place of whatever is there. @throws {GodwitError} `INTERNAL` */
  mapFresh(start: number, byteLength: number): void
  /**
   * `lseek(2)`: where data begins, or a hole, at or after `offset`; undefined at the file's end.
   * Other positions of the descriptor are lost.
   *
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  seek(what: 'data' | 'hole', descriptor: number, offset: number): number | undefined
  /**
   * `fallocate(2)`: makes sure of room for a part of a file; its holes stay zero.
   *
   * @returns 0, or the negative error number
   */
  tryAllocate(descriptor: number, offset: number, byteLength: number): number
  /**
   * `_exit(2)`: ends the process at once, with no hook, flush or farewell. The only exit where a
   * thread waits for a page that never comes: `process.exit` and `worker.terminate` wait for that
   * thread.
   */
  exit(code: number): never
}

/** Where to load koffi from, and what machine this is; tests say otherwise. */
export interface LoadOptions {
  readonly importKoffi?: () => Promise<Koffi>
  readonly platform?: string
  readonly architecture?: string
}

/**
 * Binds the system calls.
 *
 * @throws {GodwitError} `INTERNAL` with a reason of one line: not Linux, an unknown machine, or
 *   koffi is not installed or has no binary for this system
 */
export async function loadSystemCalls(options: LoadOptions = {}): Promise<SystemCalls> {
  const platform = options.platform ?? process.platform
  const architecture = options.architecture ?? process.arch
  if (platform !== 'linux') throw new GodwitError('INTERNAL', `${platform} is not Linux`)
  const number = userfaultfdNumbers[architecture]
  if (number === undefined) {
    throw new GodwitError('INTERNAL', `the system calls of ${architecture} are not known`)
  }
  return bind(await koffiOf(options.importKoffi), number)
}

/** @throws {GodwitError} `INTERNAL` with a reason of one line */
export async function koffiOf(
  importKoffi: () => Promise<Koffi> = () => import('koffi'),
): Promise<Koffi> {
  try {
    return await importKoffi()
  } catch (error) {
    const isMissing = (error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND'
    const text = error instanceof Error ? error.message.split('\n')[0] : String(error)
    const reason = isMissing ? 'is not installed' : `does not load: ${text}`
    throw new GodwitError('INTERNAL', `the optional package koffi ${reason}`, { cause: error })
  }
}

function bind(koffi: Koffi, userfaultfdNumber: number): SystemCalls {
  // Of the C library that this process has loaded already, glibc's or musl's.
  const library = koffi.load(null)
  // `syscall`, `ioctl` and `fcntl` are variadic in C. On x64 and arm64 Linux that makes no
  // difference for whole numbers and pointers, and calls of fixed shape cost half as much.
  const syscall = library.func('long syscall(long number, long flags)')
  const ioctl = library.func('int ioctl(int descriptor, unsigned long request, void *argument)')
  const fcntl = library.func('int fcntl(int descriptor, int command, long argument)')
  const read = library.func('long read(int descriptor, void *bytes, size_t byteCount)')
  const madvise = library.func('int madvise(uintptr_t start, size_t byteLength, int advice)')
  const mmap = library.func(
    'intptr_t mmap(uintptr_t at, size_t byteCount, int protection, int flags, int file, long from)',
  )
  const lseek = library.func('long lseek(int descriptor, long offset, int whence)')
  const fallocate = library.func(
    'int fallocate(int descriptor, int mode, long at, long byteLength)',
  )
  const exit = library.func('void _exit(int code)')
  const sysconf = library.func('long sysconf(int name)')
  const succeed = (what: string, result: number): number => {
    if (result >= 0) return result
    throw refused(what, koffi.errno())
  }
  const mapFresh = (start: number, byteLength: number): void => {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
    succeed('mmap', Number(mmap(start, byteLength, PROT_READ_WRITE, flags, -1, 0)))
  }
  const attempt = (result: number): number => (result >= 0 ? result : -koffi.errno())
  return {
    kernelPageBytes: Number(sysconf(SC_PAGESIZE)),
    addressOf: (bytes) => {
      const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return Number(koffi.address(view))
    },
    duplicate: (descriptor) => succeed('dup', fcntl(descriptor, F_DUPFD_CLOEXEC, 0)),
    openUserfault: (flags) =>
      succeed('userfaultfd', Number(syscall(userfaultfdNumber, O_CLOEXEC | O_NONBLOCK | flags))),
    ioctl: (what, descriptor, request, argument) =>
      succeed(what, ioctl(descriptor, request, argument)),
    tryIoctl: (descriptor, request, argument) => attempt(ioctl(descriptor, request, argument)),
    tryRead: (descriptor, into) => attempt(Number(read(descriptor, into, into.length))),
    dropPages: (start, byteLength) => {
      succeed('madvise', madvise(start, byteLength, MADV_DONTNEED))
    },
    tryHugePages: (start, byteLength) => attempt(madvise(start, byteLength, MADV_HUGEPAGE)),
    populate: (start, byteLength) => isDone(madvise, start, byteLength, MADV_POPULATE_WRITE),
    mapFile: (start, byteLength, descriptor, offset) => {
      const flags = MAP_SHARED | MAP_FIXED
      const at = mmap(start, byteLength, PROT_READ_WRITE, flags, descriptor, offset)
      if (Number(at) >= 0) return
      const errno = koffi.errno()
      // What was there may be gone, too.
      mapFresh(start, byteLength)
      throw refused('mmap', errno)
    },
    mapFresh,
    seek: (what, descriptor, offset) => {
      const at = Number(lseek(descriptor, offset, what === 'data' ? SEEK_DATA : SEEK_HOLE))
      if (at >= 0) return at
      const errno = koffi.errno()
      if (errno === ENXIO) return undefined
      throw refused('lseek', errno)
    },
    tryAllocate: (descriptor, offset, byteLength) =>
      attempt(fallocate(descriptor, 0, offset, byteLength)),
    exit: (code): never => exit(code) as never,
  }
}

/** Calls a function on another thread. @returns whether its result is 0 */
function isDone(call: NativeFunction, ...values: readonly number[]): Promise<boolean> {
  return new Promise((resolve) => {
    const heard = (error: unknown, result: unknown): void => resolve(error === null && result === 0)
    call.async(...values, heard)
  })
}

/** `userfaultfd: operation not permitted (EPERM)`. */
export function refused(what: string, errno: number): GodwitError {
  const text = `${getSystemErrorMessage(-errno)} (${getSystemErrorName(-errno)})`
  return new GodwitError('INTERNAL', `${what}: ${text}`)
}
