/**
 * The kernels: what `src/simd-kernels.ts` calls. All take byte offsets into the imported memory;
 * none keeps state or allocates.
 *
 * @module
 */
export { decodeDelta } from './delta-decode.ts'
export { encodeDelta } from './delta-encode.ts'
export { pack } from './pack.ts'
export { hash, hashPages, hashPages2 } from './pages.ts'
export { isZero, zeroRun } from './zero.ts'
