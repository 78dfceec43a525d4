#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

/// Begins to count this thread's heap allocations, from zero.
void allocation_counter_start(void);

/// Ends counting; returns how many allocations the thread made since.
long allocation_counter_stop(void);

#endif
