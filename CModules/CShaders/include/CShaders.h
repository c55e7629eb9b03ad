// The compiled shaders, embedded in the program.
#pragma once

typedef struct cshaders_entry {
    const char *name;
    const unsigned char *spirv;
    unsigned long byte_count;
    int binding_count, push_byte_count;
} cshaders_entry;

extern const cshaders_entry cshaders_table[];
extern const int cshaders_count;

// The first entry of the table.
static inline const cshaders_entry *cshaders_entries(void) { return cshaders_table; }
