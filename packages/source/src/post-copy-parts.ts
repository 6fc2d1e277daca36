/**
 * What post-copy of one migration is made of, where its mode has it.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { isShared, mayPostCopy } from '@godwit/core'
import type { SentPages, Workspace } from '@godwit/codec'
import { FETCH_DEFAULT } from '@godwit/policy'
import type { LanesOptions } from './lanes.ts'
import type { SourceOptions } from './options.ts'
import { PostCopy } from './post-copy.ts'
import { Reverse } from './reverse.ts'

/** Neither for a mode without post-copy. */
export interface PostCopyParts {
  readonly postCopy: PostCopy | undefined
  readonly reverse: Reverse | undefined
}

/** @param session - its id is of no account here */
export function createPostCopy(
  options: SourceOptions,
  session: Pick<LanesOptions, 'seed' | 'onLost'>,
  sent: readonly SentPages[],
): PostCopyParts {
  const { guest, mode, pageBytes, clock, primitives, hash, fetch = FETCH_DEFAULT } = options
  if (!mayPostCopy(mode)) return { postCopy: undefined, reverse: undefined }
  const { onLost, seed } = session
  const createHasher = (workspace: Workspace): PageHasher => workspace.createHasher(hash, seed)
  const { regions } = guest
  const areShared = regions.every(({ bytes }) => isShared(bytes))
  const threads = areShared ? options.urgentThreads : undefined
  const memory = { regions, pageBytes, primitives, createHasher }
  const reverse =
    options.checkpointMs === undefined ? undefined : new Reverse({ ...memory, clock, onLost })
  const parts = { ...memory, sent, fetch, onLost, hash, seed, threads, reverse }
  return { postCopy: new PostCopy(parts), reverse }
}
