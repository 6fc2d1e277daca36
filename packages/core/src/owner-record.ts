/**
 * Who owns a guest, as an agent has it in writing: what it must not forget when its process dies.
 * How it is written is the runtime's; that nothing goes on before it is durable is the session's.
 *
 * @module
 */

/** Of a source: the guest is here, was let go, or is the destination's for sure. */
export type SourceOwnership = 'owner' | 'released' | 'moved'

/**
 * Of a destination: room is made; everything is here and READY may be sent; the guest is this
 * side's; it will never be started here; it died with the process that held it; its time here is
 * over.
 */
export type DestinationOwnership = 'reserved' | 'prepared' | 'owner' | 'refused' | 'lost' | 'ended'

export type Ownership = SourceOwnership | DestinationOwnership

/** What a record is about; the same for as long as there is one. */
export interface OwnerFacts {
  /** Of the migration, as 32 hexadecimal digits. */
  readonly session: string
  readonly role: 'source' | 'destination'
  /** Kind of the guest. */
  readonly guest: string
  readonly memoryBytes: number
  /** The other side's address, as far as it is known. */
  readonly peer: string
}

export interface OwnerRecord extends OwnerFacts {
  readonly state: Ownership
  /** Of ownership: 0 before the hand-over, 1 for it, 2 after a takeover. */
  readonly epoch: number
  /** The destination runs, or is to run, the guest before all of its pages are there. */
  readonly postCopy: boolean
  /** Milliseconds since 1970. */
  readonly writtenMs: number
}

/** The part of a record that changes. */
export type Owned = Pick<OwnerRecord, 'state' | 'epoch' | 'postCopy'>

/** Writes one record. */
export interface OwnerLog {
  /**
   * Resolves when it is durable: it survives the death of this process and of the machine. Writes
   * keep their order.
   *
   * Rejects with a GodwitError `FILE_UNWRITABLE`: it may be in force or not after a restart.
   */
  write(owned: Owned): Promise<void>
  /** Nothing more is written. @param forget - nobody will ask */
  close(forget: boolean): Promise<void>
}

/** All records of one agent. */
export interface OwnerStore {
  /** Makes room for all that may be written of a session. Rejects as {@link OwnerLog.write}. */
  open(facts: OwnerFacts): Promise<OwnerLog>
  /** What is in force, of sessions that ended and of processes that died before, too. */
  find(session: string, role: OwnerFacts['role']): OwnerRecord | undefined
  /**
   * Writes of a guest that nobody has any more that it will never be started here. Rejects as
   * {@link OwnerLog.write}.
   */
  refuse(session: string): Promise<void>
}
