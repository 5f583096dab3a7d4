// The timer of the providers is that of everything in the background.

export { type Later, timer } from '../runtime/scheduler.js'
