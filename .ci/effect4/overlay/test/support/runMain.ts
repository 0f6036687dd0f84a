export const exitsWhenInterrupted = true
