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

/** Chunks of all classes. What it holds between calls is in memory. */
export class Slabs {
  readonly #memory: MarkedMemory
  readonly #plan: Plan
  readonly #evict: (ref: number) => void

  /**
   * @param evict - has an item leave the table and come back by {@link free}: its chunk, or that
   *   chunk's slab, is needed
   */
  constructor(memory: MarkedMemory, plan: Plan, evict: (ref: number) => void) {
    this.#memory = memory
    this.#plan = plan
    this.#evict = evict
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
    if (this.field(classIndex, ClassField.FreeHead) === 0) {
      const taken = this.slabsTaken
      const tail = this.field(classIndex, ClassField.Tail)
      if (taken < this.#plan.slabCount) {
        this.#memory.setWord(Word.SlabsTaken, taken + 1)
        this.#cut(taken, classIndex)
      } else if (tail !== 0) this.#evict(tail)
      else this.#reassign(classIndex)
    }
    const ref = this.field(classIndex, ClassField.FreeHead)
    this.#removeFree(ref, classIndex)
    return ref
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

  /** Makes free chunks of a class out of a slab; the first chunk is handed out first. */
  #cut(slab: number, classIndex: number): void {
    const chunkBytes = CHUNK_BYTES[classIndex]!
    const start = this.#slabAt(slab)
    this.#memory.setByte(SLAB_OWNERS_AT + slab, classIndex)
    this.#addTo(classIndex, ClassField.Slabs, 1)
    for (let i = Math.floor(SLAB_BYTES / chunkBytes) - 1; i >= 0; i--) {
      const at = start + i * chunkBytes
      this.#memory.setByte(at + Item.Class, classIndex)
      this.free(at / 8)
    }
  }

  /** Takes a slab from the class that has most of them; its items are evicted. */
  #reassign(classIndex: number): void {
    let giver = 0
    for (let i = 1; i < CHUNK_BYTES.length; i++) {
      if (this.field(i, ClassField.Slabs) > this.field(giver, ClassField.Slabs)) giver = i
    }
    const slab = this.#memory.bytes.indexOf(giver, SLAB_OWNERS_AT) - SLAB_OWNERS_AT
    const chunkBytes = CHUNK_BYTES[giver]!
    const start = this.#slabAt(slab)
    for (let i = Math.floor(SLAB_BYTES / chunkBytes) - 1; i >= 0; i--) {
      const ref = (start + i * chunkBytes) / 8
      if (this.#memory.bytes[ref * 8 + Item.State] === ChunkState.Linked) this.#evict(ref)
      this.#removeFree(ref, giver)
    }
    this.#addTo(giver, ClassField.Slabs, -1)
    this.#cut(slab, classIndex)
  }
}
