/**
 * The slab allocator and the lists of least recent use, one per class, in guest memory.
 *
 * @module
 */
import {
  ChunkState,
  CHUNK_BYTES,
  CLASS_RECORD_BYTES,
  CLASSES_AT,
  ClassField,
  Item,
  type Plan,
  SLAB_BYTES,
  SLAB_OWNERS_AT,
  Word,
} from './layout.ts'
import type { MarkedMemory } from './marked-memory.ts'

function recordAt(classIndex: number): number {
  return CLASSES_AT + classIndex * CLASS_RECORD_BYTES
}

/**
 * How many items at the tail may go to the head instead, for one to be evicted: where all are in
 * use, one of them is.
 */
const sparedMax = 16

/** What the allocator asks of those who know items. */
export interface ItemKeeper {
  /** Has an item leave the table and come back by {@link Slabs.free}. */
  evict(ref: number): void
  /** Whether an item was used since this was asked last, or since it was stored. */
  spare(ref: number): boolean
}

/** Chunks of a slab of a class. */
export function chunksOf(classIndex: number): number {
  return Math.floor(SLAB_BYTES / CHUNK_BYTES[classIndex]!)
}

/** Chunks of all classes. What it holds between calls is in memory. */
export class Slabs {
  readonly #memory: MarkedMemory
  readonly #plan: Plan
  readonly #keeper: ItemKeeper

  constructor(memory: MarkedMemory, plan: Plan, keeper: ItemKeeper) {
    this.#memory = memory
    this.#plan = plan
    this.#keeper = keeper
  }

  /** A word of a class's record. */
  field(classIndex: number, field: number): number {
    return this.#memory.words[(recordAt(classIndex) + field) >>> 2]!
  }

  #setField(classIndex: number, field: number, value: number): void {
    this.#memory.setWord(recordAt(classIndex) + field, value)
  }

  evicted(classIndex: number): number {
    return this.#memory.numbers[(recordAt(classIndex) + ClassField.Evicted) >>> 3]!
  }

  countEvicted(classIndex: number): void {
    const at = recordAt(classIndex) + ClassField.Evicted
    this.#memory.setNumber(at, this.evicted(classIndex) + 1)
  }

  get slabsTaken(): number {
    return this.#memory.words[Word.SlabsTaken >>> 2]!
  }

  /**
   * A chunk of a class, in no list: a free one, one of a fresh slab, that of the item that was not
   * used for the longest time, or, for a class that has nothing, one of another class's slab.
   */
  allocate(classIndex: number): number {
    if (this.freeCount(classIndex) === 0) {
      const taken = this.slabsTaken
      if (taken < this.#plan.slabCount) {
        this.#memory.setWord(Word.SlabsTaken, taken + 1)
        this.#give(taken, classIndex)
      } else if (this.field(classIndex, ClassField.Tail) === 0) this.#reassign(classIndex)
      else this.#keeper.evict(this.#leastUsed(classIndex))
    }
    const ref = this.field(classIndex, ClassField.FreeHead)
    if (ref === 0) return this.#takeFresh(classIndex)
    this.#removeFree(ref, classIndex)
    return ref
  }

  /** Chunks of a class without an item. */
  freeCount(classIndex: number): number {
    const freed = this.field(classIndex, ClassField.FreeCount)
    return freed + this.field(classIndex, ClassField.FreshCount)
  }

  /**
   * The item to evict. Those that were used go to the head when they have come to the tail, and not
   * when they are used, so that using them leaves their neighbours' pages as they are (the
   * second chance of Corbato, A paging experiment with the Multics system, 1968).
   */
  #leastUsed(classIndex: number): number {
    for (let i = 0; i < sparedMax; i++) {
      const tail = this.field(classIndex, ClassField.Tail)
      if (!this.#keeper.spare(tail)) return tail
      this.takeOut(tail)
      this.pushFront(tail)
    }
    return this.field(classIndex, ClassField.Tail)
  }

  /** Gives a chunk back that is in no list. */
  free(ref: number): void {
    const at = ref * 8
    const memory = this.#memory
    const classIndex = memory.bytes[at + Item.Class]!
    const head = this.field(classIndex, ClassField.FreeHead)
    memory.setByte(at + Item.State, ChunkState.Free)
    memory.setWord(at + Item.Next, head)
    memory.setWord(at + Item.Previous, 0)
    if (head !== 0) memory.setWord(head * 8 + Item.Previous, ref)
    this.#setField(classIndex, ClassField.FreeHead, ref)
    this.#addTo(classIndex, ClassField.FreeCount, 1)
  }

  /** Puts an item at the head of its class's list. */
  pushFront(ref: number): void {
    const at = ref * 8
    const memory = this.#memory
    const classIndex = memory.bytes[at + Item.Class]!
    const head = this.field(classIndex, ClassField.Head)
    memory.setWord(at + Item.Next, head)
    memory.setWord(at + Item.Previous, 0)
    if (head !== 0) memory.setWord(head * 8 + Item.Previous, ref)
    else this.#setField(classIndex, ClassField.Tail, ref)
    this.#setField(classIndex, ClassField.Head, ref)
    this.#addTo(classIndex, ClassField.Items, 1)
  }

  /** Takes an item out of its class's list. */
  takeOut(ref: number): void {
    const at = ref * 8
    const memory = this.#memory
    const classIndex = memory.bytes[at + Item.Class]!
    const next = memory.words[(at + Item.Next) >>> 2]!
    const previous = memory.words[(at + Item.Previous) >>> 2]!
    if (next !== 0) memory.setWord(next * 8 + Item.Previous, previous)
    else this.#setField(classIndex, ClassField.Tail, previous)
    if (previous !== 0) memory.setWord(previous * 8 + Item.Next, next)
    else this.#setField(classIndex, ClassField.Head, next)
    this.#addTo(classIndex, ClassField.Items, -1)
  }

  #addTo(classIndex: number, field: number, difference: number): void {
    this.#setField(classIndex, field, this.field(classIndex, field) + difference)
  }

  #removeFree(ref: number, classIndex: number): void {
    const memory = this.#memory
    const next = memory.words[(ref * 8 + Item.Next) >>> 2]!
    const previous = memory.words[(ref * 8 + Item.Previous) >>> 2]!
    if (next !== 0) memory.setWord(next * 8 + Item.Previous, previous)
    if (previous !== 0) memory.setWord(previous * 8 + Item.Next, next)
    else this.#setField(classIndex, ClassField.FreeHead, next)
    this.#addTo(classIndex, ClassField.FreeCount, -1)
  }

  #slabAt(slab: number): number {
    return this.#plan.slabsAt + slab * SLAB_BYTES
  }

  /**
   * Gives a class a slab; its first chunk is handed out first. Nothing is stored in it: its pages
   * are dirtied when items come to them, and not twice.
   */
  #give(slab: number, classIndex: number): void {
    this.#memory.setByte(SLAB_OWNERS_AT + slab, classIndex)
    this.#addTo(classIndex, ClassField.Slabs, 1)
    this.#setField(classIndex, ClassField.FreshHead, this.#slabAt(slab) / 8)
    this.#setField(classIndex, ClassField.FreshCount, chunksOf(classIndex))
  }

  #takeFresh(classIndex: number): number {
    const ref = this.field(classIndex, ClassField.FreshHead)
    this.#setField(classIndex, ClassField.FreshHead, ref + CHUNK_BYTES[classIndex]! / 8)
    this.#addTo(classIndex, ClassField.FreshCount, -1)
    this.#memory.setByte(ref * 8 + Item.Class, classIndex)
    return ref
  }

  /** Takes a slab from the class that has most of them; its items are evicted. */
  #reassign(classIndex: number): void {
    let giver = 0
    for (let i = 1; i < CHUNK_BYTES.length; i++) {
      if (this.field(i, ClassField.Slabs) > this.field(giver, ClassField.Slabs)) giver = i
    }
    const slab = this.#memory.bytes.indexOf(giver, SLAB_OWNERS_AT) - SLAB_OWNERS_AT
    for (let i = this.#emptyFresh(slab, giver) - 1; i >= 0; i--) {
      const ref = (this.#slabAt(slab) + i * CHUNK_BYTES[giver]!) / 8
      if (this.#memory.bytes[ref * 8 + Item.State] === ChunkState.Linked) this.#keeper.evict(ref)
      this.#removeFree(ref, giver)
    }
    this.#addTo(giver, ClassField.Slabs, -1)
    this.#give(slab, classIndex)
  }

  /** @returns how many chunks of a slab of `giver` were used, which has none of it fresh now */
  #emptyFresh(slab: number, giver: number): number {
    const count = this.field(giver, ClassField.FreshCount)
    const start = this.#slabAt(slab)
    const head = this.field(giver, ClassField.FreshHead) * 8
    if (count === 0 || head < start || head >= start + SLAB_BYTES) return chunksOf(giver)
    this.#setField(giver, ClassField.FreshCount, 0)
    return chunksOf(giver) - count
  }
}
