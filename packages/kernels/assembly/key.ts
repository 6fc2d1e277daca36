/**
 * Where the parts of a key block are, in bytes from its start. The loader writes the block once per
 * seed (`src/xxh3-key.ts` has the same numbers); kernels only read it.
 *
 * @module
 */

/** u64: the seed. */
export const KEY_SEED: usize = 0
/** 192 bytes: the default secret, for inputs of 240 bytes at most. */
export const KEY_DEFAULT_SECRET: usize = 16
/** 24 x u64: the secret that was derived from the seed, for longer inputs. */
export const KEY_SECRET: usize = 208
/** 24 x u32 each: lower and upper halves of that secret's words. */
export const KEY_LOWER: usize = 400
export const KEY_UPPER: usize = 496
/** 8 x u32 each: the same of the 64 bytes at offset 121, which the last stripe is mixed with. */
export const KEY_LAST_LOWER: usize = 592
export const KEY_LAST_UPPER: usize = 624
