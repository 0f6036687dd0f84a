export const exitsWhenInterrupted = true

export const codeOfInterrupted = 130

export const codeOfFurtherSignal = 1
