/**
 * Reports of migrations as a page that is read without a server.
 *
 * @module
 */
export { DOCUMENTS_MAX, DOCUMENT_BYTES_MAX, type Document, readDocument } from './document.ts'
export { renderPage } from './page.ts'
