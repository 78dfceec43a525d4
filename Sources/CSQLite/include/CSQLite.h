// The functions of SQLite's public interface that Storage uses, declared here so that the runtime library alone is
// needed and not its development package. The interface is stable: SQLite keeps it compatible since version 3.0.
#ifndef APUS_CSQLITE_H
#define APUS_CSQLITE_H

#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

// Result codes, the low byte of what the functions return.
enum {
    APUS_SQLITE_OK = 0,
    APUS_SQLITE_BUSY = 5,
    APUS_SQLITE_IOERR = 10,
    APUS_SQLITE_CORRUPT = 11,
    APUS_SQLITE_FULL = 13,
    APUS_SQLITE_CANTOPEN = 14,
    APUS_SQLITE_NOTADB = 26,
    APUS_SQLITE_ROW = 100,
    APUS_SQLITE_DONE = 101,
};

// Flags of sqlite3_open_v2.
enum {
    APUS_SQLITE_OPEN_READONLY = 0x1,
    APUS_SQLITE_OPEN_READWRITE = 0x2,
    APUS_SQLITE_OPEN_CREATE = 0x4,
    APUS_SQLITE_OPEN_NOMUTEX = 0x8000,
};

// Types of a column's value.
enum {
    APUS_SQLITE_INTEGER = 1,
    APUS_SQLITE_FLOAT = 2,
    APUS_SQLITE_TEXT = 3,
    APUS_SQLITE_BLOB = 4,
    APUS_SQLITE_NULL = 5,
};

int sqlite3_open_v2(const char *path, sqlite3 **database, int flags, const char *vfs);
int sqlite3_close_v2(sqlite3 *database);
int sqlite3_extended_errcode(sqlite3 *database);
const char *sqlite3_errmsg(sqlite3 *database);
int sqlite3_busy_timeout(sqlite3 *database, int milliseconds);
int sqlite3_changes(sqlite3 *database);

int sqlite3_prepare_v2(sqlite3 *database, const char *sql, int bytes, sqlite3_stmt **statement, const char **tail);
int sqlite3_step(sqlite3_stmt *statement);
int sqlite3_reset(sqlite3_stmt *statement);
int sqlite3_clear_bindings(sqlite3_stmt *statement);
int sqlite3_finalize(sqlite3_stmt *statement);

int sqlite3_bind_parameter_count(sqlite3_stmt *statement);
int sqlite3_bind_null(sqlite3_stmt *statement, int index);
int sqlite3_bind_int64(sqlite3_stmt *statement, int index, int64_t value);
int sqlite3_bind_double(sqlite3_stmt *statement, int index, double value);
// The last argument says how long the bytes stay; -1 has SQLite copy them.
int sqlite3_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int count, intptr_t lifetime);
int sqlite3_bind_text(sqlite3_stmt *statement, int index, const char *text, int count, intptr_t lifetime);

int sqlite3_column_type(sqlite3_stmt *statement, int column);
int64_t sqlite3_column_int64(sqlite3_stmt *statement, int column);
double sqlite3_column_double(sqlite3_stmt *statement, int column);
const void *sqlite3_column_blob(sqlite3_stmt *statement, int column);
int sqlite3_column_bytes(sqlite3_stmt *statement, int column);

#endif
