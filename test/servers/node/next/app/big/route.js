export const dynamic = "force-dynamic"

const bytes = Buffer.alloc(20_000_000, "x")

export const GET = () => new Response(bytes)
