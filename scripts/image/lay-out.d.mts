/** Whether a package's folder of this name only serves its authors, by the name and by what package.json names. */
export declare function isForAuthors(folder: string, about: Record<string, unknown>): boolean
/** Copies the packages of a node_modules folder: code, package.json and licences. */
export declare function copyPackages(from: string, to: string): void
