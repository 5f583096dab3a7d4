// Lines of JSON in which nothing hides: what clients, providers and Desk sent reaches a terminal, a browser or a collector
// only as what it looks like. A program that parses the line reads what was sent.

/**
 * Attack: JSON lets pass what hides or turns text around in a terminal or a browser: C1 controls, format characters with
 * the bidirectional ones among them, and the two separators that some readers take for the end of a line.
 */
const invisible = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu

/** Nearly every line: cheaper to see than to look for each of the others. */
const plain = /^[\x20-\x7e\n]*$/

/** A line of JSON, or a part of one, with the same meaning. */
export function visible(json: string): string {
  return plain.test(json) ? json : json.replace(invisible, escaped)
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
