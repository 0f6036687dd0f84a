/** Whether `runMain` ends the process of a program that was interrupted otherwise than by its own signals: on Effect 4. */
export const exitsWhenInterrupted = false
