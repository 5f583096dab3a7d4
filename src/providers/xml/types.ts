// The limits and events of the strict XML reader. Types only.

/** The most of each thing that a document may hold. */
export interface XmlLimits {
  elements: number
  /** In the whole document, namespace declarations among them. */
  attributes: number
  attributesPerElement: number
  depth: number
  comments: number
  references: number
  sections: number
  /** A message is read as strictly as can be; metadata may have line breaks in attributes and `xmlns=""`. */
  kind: 'message' | 'metadata'
}

export interface XmlAttribute {
  /** '' without one. */
  prefix: string
  local: string
  value: string
  /** The value was written with a character or entity reference in it. */
  escaped: boolean
}

export interface XmlElement {
  local: string
  /** '' when it is in none. */
  namespace: string
  /** All but namespace declarations. */
  attributes: XmlAttribute[]
}

export interface XmlEvents {
  /** `from` and `to` are where the start tag begins and ends in the text. */
  open(element: XmlElement, from: number, to: number): void
  /** `to` is where the element ends. */
  close(to: number): void
  /** Character data, references decoded; one element's text may come in several calls. */
  text(value: string): void
}
