#pragma once

/// Calls of malloc, calloc, realloc and the aligned ones of the calling thread since it began.
/// Always 0 under a sanitizer, which has its own allocator.
unsigned long framepath_allocation_count(void);

/// 1 if allocations are counted.
int framepath_counts_allocations(void);
