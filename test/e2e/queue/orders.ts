/** How many orders are fulfilled at once. */
export const atOnce = 16

/** How long one takes. */
export const millis = 100
