/* What a C program calls; see agent/src/c_exports.rs, from which this file is made. Do not edit. */

#ifndef WEIR_AGENT_H
#define WEIR_AGENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Starts the agent of this process, or finds it running. `keys_and_values` are `count` C strings, keys and values alternating:
 `"mode", "per-operator", "budget-bytes", "67108864"`. The agent logs to standard error. 0, or -1 if it does not start.

 # Safety

 `keys_and_values` must point to `count` C strings.
 */
int weir_agent_start(const char *const *keys_and_values,
                     size_t count);

/*
 Hooks a cache (`rocksdb_cache_t *`) and adds an operator behind it, whose task thread is the calling one. `statistics` is
 RocksJava's handle of those that only this operator's database has; null if it has the cache for itself. `thread_name` is
 Flink's, as `Join[3] -> Sink (2/4)#0`. A number greater than 0, or -1 if the agent refuses.

 # Safety

 The handles must be live during the call, the names C strings or null.
 */
int64_t weir_agent_register(void *cache,
                            void *statistics,
                            const char *thread_name,
                            const char *job_id);

/*
 Tells which write buffer manager (`rocksdb_write_buffer_manager_t *`) an operator writes through. 0, or -1 if it cannot be read
 or there is no such operator.

 # Safety

 The handle must be null or live during the call.
 */
int weir_agent_write_through(int64_t operator_id,
                             const void *manager);

/*
 Lets an operator go. Its cache keeps working.
 */
void weir_agent_release(int64_t operator_id);

/*
 Writes what `GET /v1/report` answers into `buffer`, cut off after `size - 1` bytes, and a NUL. The length of the whole, or 0 if
 the agent was not started.

 # Safety

 `buffer` must have room for `size` bytes, or be null with a `size` of 0.
 */
size_t weir_agent_report(char *buffer,
                         size_t size);

/*
 Writes why the last call of this thread that failed did so, as [`weir_agent_report`] does; the length of the whole.

 # Safety

 As for [`weir_agent_report`].
 */
size_t weir_agent_last_error(char *buffer,
                             size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WEIR_AGENT_H */
