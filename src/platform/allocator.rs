//! musl's own allocator serves one thread at a time, and slowly.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
