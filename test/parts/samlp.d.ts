declare module 'samlp' {
  export interface ParsedRequest {
    id?: string
    issuer?: string
    destination?: string
    assertionConsumerServiceURL?: string
  }
  type Done<T> = (error: Error | null, value: T) => void
  const samlp: {
    parseRequest(
      request: { query: Record<string, string> },
      options: object,
      done: Done<ParsedRequest | undefined>,
    ): void
    getSamlResponse(options: Record<string, unknown>, user: Record<string, unknown>, done: Done<string>): void
  }
  // biome-ignore lint/style/noDefaultExport: the package is CommonJS.
  export default samlp
}
