export const exitsWhenInterrupted = true

export const codeOfInterrupted = 130
