/** The router that is a value. */
export * from "@effect/platform/HttpRouter"
