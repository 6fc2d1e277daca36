/**
 * What batches may contain, as it was negotiated.
 *
 * @module
 */
import { CodecError } from '@godwit/core'
import type { BatchHeader } from '@godwit/wire'
import { BatchCompression, PageEncoding } from '@godwit/wire'

/** Capabilities of a session that change what batches look like. */
export interface BatchFeatures {
  /** Same-as, reference, keep. */
  readonly references: boolean
  /** Delta, similar. */
  readonly delta: boolean
  readonly zstd: boolean
  readonly lz4: boolean
}

export const NO_FEATURES: BatchFeatures = {
  references: false,
  delta: false,
  zstd: false,
  lz4: false,
}

/** Those among names of capabilities. */
export function featuresOf(capabilities: readonly string[]): BatchFeatures {
  return {
    references: capabilities.includes('references'),
    delta: capabilities.includes('delta'),
    zstd: capabilities.includes('zstd'),
    lz4: capabilities.includes('lz4'),
  }
}

/** @throws {CodecError} `CODEC_ENCODING` */
export function checkHeaderFeatures(header: BatchHeader, features: BatchFeatures): void {
  const { compression, stride } = header
  const mayTranspose = features.zstd || features.lz4
  const isAllowed =
    (compression === BatchCompression.None && (stride === 0 || mayTranspose)) ||
    (compression === BatchCompression.Zstd && features.zstd) ||
    (compression === BatchCompression.Lz4 && features.lz4)
  if (isAllowed) return
  const text = `Batch compression ${compression} with stride ${stride} was not negotiated`
  throw new CodecError('CODEC_ENCODING', text)
}

/**
 * @param hasStatic - whether there are contents that both ends know
 * @throws {CodecError} `CODEC_ENCODING`; unknown encodings are found elsewhere
 */
export function checkFeature(encoding: number, features: BatchFeatures, hasStatic: boolean): void {
  switch (encoding) {
    case PageEncoding.SameAs:
    case PageEncoding.Reference:
    case PageEncoding.Keep:
      if (features.references) return
      break
    case PageEncoding.Delta:
    case PageEncoding.Similar:
      if (features.delta) return
      break
    case PageEncoding.Static:
      if (hasStatic) return
      break
    default:
      return
  }
  throw new CodecError('CODEC_ENCODING', `Page encoding ${encoding} was not negotiated`)
}
