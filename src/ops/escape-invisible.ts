// Escapes invisible characters in lines of JSON, so that values from clients, providers and Desk cannot hide anything from
// a person who reads the line. Parsed, the line has the same value.

/**
 * Attack: JSON allows characters that hide or reorder text in a terminal or a browser: C1 controls, format characters
 * including the bidirectional ones, and two separators that some readers treat as the end of a line.
 */
const invisible = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu

/** Matches nearly every line, and is cheaper than the replacement. */
const printableAscii = /^[\x20-\x7e\n]*$/

/** `json`: a line of JSON, or a part of one. */
export function escapeInvisible(json: string): string {
  return printableAscii.test(json) ? json : json.replace(invisible, escaped)
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
