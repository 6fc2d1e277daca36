/**
 * Which memcached this says it is.
 *
 * @module
 */

/** The version of memcached whose protocol this is, and who says so. */
export const VERSION_TEXT = '1.6.0-godwit'
