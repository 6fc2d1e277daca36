/**
 * Owner records in a directory (`--state-dir`), a file each: `SESSION.source`,
 * `SESSION.destination`. Several processes of one machine may use it.
 *
 * @module
 */
import { readFileSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Owned, OwnerFacts, OwnerLog, OwnerRecord, OwnerStore } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import * as v from 'valibot'
import { makeDirectory } from './directory.ts'
import { OwnerFile, readOwnerFile } from './owner-file.ts'
import { isAlive, ownIdentity } from './process-identity.ts'

const format = 'godwit.owner/1'

const schema = v.object({
  format: v.literal(format),
  session: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  role: v.picklist(['source', 'destination']),
  state: v.picklist([
    'owner',
    'released',
    'moved',
    'reserved',
    'prepared',
    'refused',
    'lost',
    'ended',
  ]),
  epoch: v.pipe(v.number(), v.safeInteger()),
  postCopy: v.boolean(),
  guest: v.string(),
  memoryBytes: v.number(),
  peer: v.string(),
  writtenMs: v.number(),
  binding: v.optional(
    v.object({
      secret: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      identity: v.optional(v.string()),
    }),
  ),
  /** The process that has, or had, the guest's memory. */
  holder: v.string(),
})

type Stored = v.InferOutput<typeof schema>

/** A source that has not asked by then never will. */
const keptMs = 30 * 24 * 3600 * 1000

/** Most files. For one more, the oldest goes of those that tell how it ended. */
export const OWNER_RECORDS_MAX = 4096

/** The rest of them a source, or an operator, may still have to act on. */
const endings: ReadonlySet<OwnerRecord['state']> = new Set(['ended', 'moved', 'refused'])

/** All records of one machine's agents. */
export class OwnerDirectory implements OwnerStore {
  readonly path: string
  readonly #holder = ownIdentity()

  /** @throws {GodwitError} `FILE_UNWRITABLE`: the directory cannot be made or read */
  constructor(path: string) {
    this.path = path
    try {
      makeDirectory(path)
      this.#tidy()
    } catch (thrown) {
      throw unwritable(path, thrown)
    }
  }

  async open(facts: OwnerFacts): Promise<OwnerLog> {
    this.#makeRoom()
    const path = this.#pathOf(facts.session, facts.role)
    return new DirectoryLog(path, (owned) => this.#textOf({ ...facts, ...owned }))
  }

  find(session: string, role: OwnerFacts['role']): OwnerRecord | undefined {
    const stored = this.#read(this.#pathOf(session, role))
    return stored === undefined ? undefined : inForce(stored)
  }

  async refuse(session: string): Promise<void> {
    const path = this.#pathOf(session, 'destination')
    const record = this.#read(path)
    if (record === undefined) throw unwritable(path, new Error('it is damaged or gone'))
    const { holder } = record
    if (holder !== this.#holder && isAlive(holder)) {
      throw unwritable(path, new Error('another process that lives has the guest'))
    }
    await this.#rewrite(path, { ...record, state: 'refused' })
  }

  /**
   * Writes that a guest which outlived its process is this process' now: who asks hears that it
   * runs. Nothing happens where no record says that a dead process had it.
   *
   * @throws {GodwitError} `FILE_UNWRITABLE`
   */
  async adopt(session: string): Promise<void> {
    const path = this.#pathOf(session, 'destination')
    const record = this.#read(path)
    if (record?.state !== 'owner' || isAlive(record.holder)) return
    await this.#rewrite(path, record)
  }

  async #rewrite(path: string, record: Stored): Promise<void> {
    try {
      const file = await OwnerFile.open(path)
      try {
        await file.write(this.#textOf(record))
      } finally {
        await file.close()
      }
    } catch (thrown) {
      throw unwritable(path, thrown)
    }
  }

  /** What processes that are dead left: guests that died with them, and open questions. */
  left(role: OwnerFacts['role']): readonly OwnerRecord[] {
    const all = this.#all().filter((record) => record.role === role)
    return all.filter(({ holder }) => !isAlive(holder)).map(inForce)
  }

  /** Files that hold no record any more: whose guests these were nobody can tell. */
  get damaged(): readonly string[] {
    return this.#names().filter((name) => this.#read(join(this.path, name)) === undefined)
  }

  /** Nobody will ask for it. */
  forget({ session, role }: OwnerFacts): void {
    try {
      unlinkSync(this.#pathOf(session, role))
    } catch {
      // It is gone already, or will be found again.
    }
  }

  #pathOf(session: string, role: OwnerFacts['role']): string {
    return join(this.path, `${session}.${role}`)
  }

  #names(): string[] {
    return readdirSync(this.path).filter((name) =>
      /^[0-9a-f]{32}\.(source|destination)$/.test(name),
    )
  }

  #textOf(record: Omit<OwnerRecord, 'writtenMs'>): string {
    const stored: Stored = { ...record, format, writtenMs: Date.now(), holder: this.#holder }
    return JSON.stringify(stored)
  }

  #read(path: string): Stored | undefined {
    try {
      const text = readOwnerFile(readFileSync(path))
      return text === undefined ? undefined : v.parse(schema, JSON.parse(text))
    } catch {
      return undefined
    }
  }

  /** What is left of writes that never ended goes, and so do answers that nobody wanted. */
  #tidy(): void {
    for (const name of readdirSync(this.path)) {
      const path = join(this.path, name)
      const isTorn = /^[0-9a-f]{32}\.\w+\.tmp$/.test(name)
      if (isTorn && Date.now() - statSync(path).mtimeMs > 60_000) unlinkSync(path)
    }
    for (const record of this.#all()) {
      const isOld = record.writtenMs < Date.now() - keptMs
      if (isOld && !isAlive(record.holder)) this.forget(record)
    }
  }

  /** @throws {GodwitError} `FILE_UNWRITABLE`: too many guests are still here, or in doubt */
  #makeRoom(): void {
    if (this.#names().length < OWNER_RECORDS_MAX) return
    const ended = this.#all().filter(({ state }) => endings.has(state))
    const [oldest] = ended.toSorted((a, b) => a.writtenMs - b.writtenMs)
    if (oldest === undefined) {
      const text = `${this.path} holds ${OWNER_RECORDS_MAX} owner records, and all may be wanted`
      throw new GodwitError('FILE_UNWRITABLE', text)
    }
    this.forget(oldest)
  }

  #all(): readonly Stored[] {
    return this.#names().flatMap((name) => this.#read(join(this.path, name)) ?? [])
  }
}

/** A guest dies with the process that holds it. */
function inForce(stored: Stored): OwnerRecord {
  const { format: _format, holder, ...record } = stored
  const isLost = record.role === 'destination' && record.state === 'owner' && !isAlive(holder)
  return isLost ? { ...record, state: 'lost' } : record
}

class DirectoryLog implements OwnerLog {
  readonly #path: string
  readonly #textOf: (owned: Owned) => string
  #file: OwnerFile | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(path: string, textOf: (owned: Owned) => string) {
    this.#path = path
    this.#textOf = textOf
  }

  write(owned: Owned): Promise<void> {
    return this.#after(async () => {
      const text = this.#textOf(owned)
      try {
        if (this.#file === undefined) this.#file = await OwnerFile.create(this.#path, text)
        else await this.#file.write(text)
      } catch (thrown) {
        throw unwritable(this.#path, thrown)
      }
    })
  }

  close(forget: boolean): Promise<void> {
    return this.#after(async () => {
      if (forget) await this.#file?.remove()
      else await this.#file?.close()
      this.#file = undefined
    })
  }

  #after(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }
}

function unwritable(path: string, thrown: unknown): GodwitError {
  if (thrown instanceof GodwitError) return thrown
  const { message } = thrown instanceof Error ? thrown : new Error(String(thrown))
  const text = `Whose a guest is cannot be written to ${path}: ${message}`
  return new GodwitError('FILE_UNWRITABLE', text, { cause: thrown })
}
