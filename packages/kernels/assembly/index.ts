/**
 * The kernels: what `src/simd-kernels.ts` calls. All take byte offsets into the imported memory;
 * none keeps state or allocates.
 *
 * @module
 */
export { classify } from './classify.ts'
export { decodeDelta } from './delta-decode.ts'
export { encodeDelta } from './delta-encode.ts'
export { features } from './features.ts'
export { pack } from './pack.ts'
export { hash, hashPages, hashPages2 } from './pages.ts'
export { transpose, untranspose } from './transpose.ts'
export { isZero, zeroRun } from './zero.ts'
