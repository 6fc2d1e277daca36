/**
 * Fields of the report's schema, each with what it means.
 *
 * @module
 */
import * as v from 'valibot'

type Field<T> = v.GenericSchema<T>

export const count = (meaning: string): Field<number> =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.description(meaning))

export const amount = (meaning: string): Field<number> =>
  v.pipe(v.number(), v.finite(), v.minValue(0), v.description(meaning))

export const text = (meaning: string): Field<string> => v.pipe(v.string(), v.description(meaning))
