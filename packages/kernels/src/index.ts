export type { ContentHasherOptions, ContentScratch, WriteSha } from './content-hasher.ts'
export {
  allocateContentScratch,
  CONTENT_WORDS,
  ContentHasher,
  SHA_BYTES,
} from './content-hasher.ts'
export { DeltaRefusal } from './delta.ts'
export type { Kernels, KernelsOptions, SharedKernelsOptions } from './kernels.ts'
export {
  createKernels,
  createKernelsOver,
  KERNELS_SHARED_WASM_URL,
  KERNELS_WASM_URL,
} from './kernels.ts'
export type { WasmMemory, WasmModule } from './wasm.ts'
export type { CopyBytes, Xxh3Scratch } from './xxh3-hasher.ts'
export { allocateXxh3Scratch, portableCopy, Xxh3Hasher } from './xxh3-hasher.ts'
