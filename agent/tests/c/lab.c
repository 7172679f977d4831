/* A C program with RocksDB's JNI library and the agent in it, and no JVM: writes, reads, and looks at what the agent saw.
 *
 * lab ROCKSDB_LIBRARY AGENT_LIBRARY DIRECTORY
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir_agent.h"

static void *rocksdb, *agent;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void *open_library(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fail(path, dlerror());
    return library;
}

static void *symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    if (address == NULL) fail(name, "not exported");
    return address;
}

/* The agent's functions with the types of its header, RocksDB's with those of its c.h. */
#define AGENT(name) ((__typeof__(&name))symbol(agent, #name))
#define ROCKSDB(result, name, ...) ((result (*)(__VA_ARGS__))symbol(rocksdb, #name))

static void check(char *error) {
    if (error != NULL) fail("RocksDB", error);
}

static void agent_failed(const char *what) {
    char why[512];
    AGENT(weir_agent_last_error)(why, sizeof why);
    fail(what, why);
}

int main(int count, char **arguments) {
    if (count != 4) fail("usage", "lab ROCKSDB_LIBRARY AGENT_LIBRARY DIRECTORY");
    rocksdb = open_library(arguments[1]);
    agent = open_library(arguments[2]);

    const char *wrong[] = {"mode", "sideways"};
    if (AGENT(weir_agent_start)(wrong, 2) == 0) fail("start", "mode sideways was accepted");
    const char *settings[] = {"mode", "per-operator", "budget-bytes", "67108864", "http-port-range", "9400-9499"};
    if (AGENT(weir_agent_start)(settings, 6) != 0) agent_failed("start");

    void *cache = ROCKSDB(void *, rocksdb_cache_create_lru, size_t)(1 << 20);
    int64_t id = AGENT(weir_agent_register)(cache, NULL, "Join[3] -> Sink (2/4)#1", "c0ffee");
    if (id <= 0) agent_failed("register");
    if (AGENT(weir_agent_register)(cache, NULL, "Other (1/1)#0", "") != -1) fail("register", "taken twice");

    void *options = ROCKSDB(void *, rocksdb_options_create, void)();
    ROCKSDB(void, rocksdb_options_set_create_if_missing, void *, unsigned char)(options, 1);
    void *table = ROCKSDB(void *, rocksdb_block_based_options_create, void)();
    ROCKSDB(void, rocksdb_block_based_options_set_block_cache, void *, void *)(table, cache);
    ROCKSDB(void, rocksdb_options_set_block_based_table_factory, void *, void *)(options, table);
    char *error = NULL;
    void *db = ROCKSDB(void *, rocksdb_open, void *, const char *, char **)(options, arguments[3], &error);
    check(error);

    void *write = ROCKSDB(void *, rocksdb_writeoptions_create, void)();
    void *read = ROCKSDB(void *, rocksdb_readoptions_create, void)();
    void *flush = ROCKSDB(void *, rocksdb_flushoptions_create, void)();
    char key[16], value[200];
    memset(value, 'v', sizeof value);
    for (int n = 0; n < 20000; n++) {
        int length = snprintf(key, sizeof key, "%08d", n);
        ROCKSDB(void, rocksdb_put, void *, void *, const char *, size_t, const char *, size_t, char **)
        (db, write, key, (size_t)length, value, sizeof value, &error);
        check(error);
    }
    ROCKSDB(void, rocksdb_flush, void *, void *, char **)(db, flush, &error);
    check(error);
    for (int n = 0; n < 20000; n++) {
        int length = snprintf(key, sizeof key, "%08d", n);
        size_t found = 0;
        char *got = ROCKSDB(char *, rocksdb_get, void *, void *, const char *, size_t, size_t *, char **)(
            db, read, key, (size_t)length, &found, &error);
        check(error);
        if (found != sizeof value) fail("get", "another value");
        ROCKSDB(void, rocksdb_free, void *)(got);
    }

    size_t length = AGENT(weir_agent_report)(NULL, 0);
    char *report = malloc(length + 4096);
    AGENT(weir_agent_report)(report, length + 4096);
    printf("%s\n", report);

    /* The cache goes first and the agent is told later: that must be harmless. */
    ROCKSDB(void, rocksdb_close, void *)(db);
    ROCKSDB(void, rocksdb_block_based_options_destroy, void *)(table);
    ROCKSDB(void, rocksdb_options_destroy, void *)(options);
    ROCKSDB(void, rocksdb_cache_destroy, void *)(cache);
    AGENT(weir_agent_report)(report, length);
    AGENT(weir_agent_release)(id);
    free(report);
    ROCKSDB(void, rocksdb_writeoptions_destroy, void *)(write);
    ROCKSDB(void, rocksdb_readoptions_destroy, void *)(read);
    ROCKSDB(void, rocksdb_flushoptions_destroy, void *)(flush);
    return 0;
}
