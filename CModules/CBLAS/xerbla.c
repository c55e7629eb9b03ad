#include <stdarg.h>
#include <stdio.h>

#include "hearth_cblas.h"

__attribute__((weak)) void cblas_xerbla(int32_t argument, const char *routine, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fprintf(stderr, "%s: argument %d: ", routine, argument);
    vfprintf(stderr, format, rest);
    va_end(rest);
}

void hcblas_report(int32_t argument, const char *routine, const char *message) {
    cblas_xerbla(argument, routine, "%s\n", message);
}
