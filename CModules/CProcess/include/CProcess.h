// Starting a program detached: the GNU parts of posix_spawn that Swift's Glibc module hides.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

// Starts `argv[0]` in a session of its own: stdin from /dev/null, stdout and stderr appended to `log`, `lock` as
// descriptor 3, nothing else open. Returns 0 or an errno.
int cprocess_spawn(char *const argv[], const char *log, int lock, pid_t *pid);

// Whether something keeps this machine's clock right (adjtimex). Swift's Glibc has no timex.
bool cprocess_clock_is_synchronised(void);
