/**
 * What the codec takes from the runtime, and which hash a session uses.
 *
 * @module
 */
import type { HashName, VerifyMode } from '@godwit/core'
import type { CopyBytes, KernelsOptions, WriteSha } from '@godwit/kernels'
import { SHA_BYTES, portableCopy } from '@godwit/kernels'
import type { Compressor, Compressors } from './compressor.ts'
import { createLz4 } from './lz4.ts'
import type { Sha256 } from './sha256.ts'
import { portableSha256 } from './sha256.ts'
import type { Xxh64 } from './xxh64.ts'
import { createXxh64 } from './xxh64.ts'

/** A file, read on the calling thread. */
export interface ReadableFile {
  /**
   * Reads some bytes from `position` of the file on, to `at`.
   *
   * @returns how many; 0 at its end
   */
  read(into: Uint8Array, at: number, byteCount: number, position: number): number
  close(): void
}

/** Opens a file to be read; throws where that cannot be. */
export type OpenFile = (path: string) => ReadableFile

/** Functions that are applied to every page. */
export interface Primitives {
  readonly xxh64: Xxh64
  readonly sha256: Sha256
  /** The same of a page, where it is wanted. */
  readonly writeSha: WriteSha
  /** The kernels' binary; without it they run as plain TypeScript. */
  readonly kernelsWasm: KernelsOptions['wasm']
  /** The same for shared memory; without it pages of guests are not looked at in place. */
  readonly kernelsSharedWasm: KernelsOptions['wasm']
  readonly copy: CopyBytes
  readonly compressors: Compressors
  /** Undefined where there are no files. */
  readonly openFile: OpenFile | undefined
}

/** What the runtime has of its own; everything has a portable stand-in. */
export interface PrimitivesOptions {
  readonly sha256?: Sha256
  /** By default by way of `sha256`. */
  readonly writeSha?: WriteSha
  readonly kernelsWasm?: KernelsOptions['wasm']
  readonly kernelsSharedWasm?: KernelsOptions['wasm']
  /** Engines copy shared memory word by word; a runtime may know better. */
  readonly copy?: CopyBytes
  /** There is none that is portable. */
  readonly zstd?: Compressor
  readonly openFile?: OpenFile
}

export async function createPrimitives(options: PrimitivesOptions = {}): Promise<Primitives> {
  const { sha256 = portableSha256, kernelsWasm, copy = portableCopy, zstd, openFile } = options
  const { writeSha = writingShaOf(sha256) } = options
  const [xxh64, lz4] = await Promise.all([createXxh64(), createLz4()])
  const compressors = { zstd, lz4 }
  const { kernelsSharedWasm } = options
  return { xxh64, sha256, writeSha, kernelsWasm, kernelsSharedWasm, copy, compressors, openFile }
}

function writingShaOf(sha256: Sha256): WriteSha {
  return (page, into, at) => {
    const sha = sha256(page)
    // Faster than `set` of a view.
    for (let i = 0; i < SHA_BYTES; i++) into[at + i] = sha[i]!
  }
}

/**
 * The hash of verification: `fingerprints` takes the session's own, or XXH64 where that is SHA-256.
 */
export function verifyHash(verify: VerifyMode, hash: HashName): HashName | undefined {
  switch (verify) {
    case 'none':
      return undefined
    case 'sha256':
      return 'sha256'
    case 'fingerprints':
      return hash === 'sha256' ? 'xxh64' : hash
  }
}
