/** Whether `runMain` ends the process of a program that was interrupted otherwise than by its own signals: on Effect 4. */
export const exitsWhenInterrupted = false

/** The exit code that it gives to a program which one of its own signals has interrupted. */
export const codeOfInterrupted = 0

/**
 * The exit code of a primary that handles no signals, where its workers have been sent a second one: by the exit code
 * that `runMain` of Effect 4 gives them, it cannot tell what they have cut.
 */
export const codeOfFurtherSignal = 0
