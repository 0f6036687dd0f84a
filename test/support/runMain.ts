/** Whether `runMain` ends the process of a program that was interrupted otherwise than by its own signals: on Effect 4. */
export const exitsWhenInterrupted = false

/** The exit code that it gives to a program which one of its own signals has interrupted. */
export const codeOfInterrupted = 0
