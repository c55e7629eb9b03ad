// The compiled shaders, embedded in the program: one entry a variant of an operation.
#pragma once

typedef struct cshaders_entry {
    const char *name;  // of the module
    const char *operation, *variant;
    const char *features;  // beyond Vulkan 1.3 core, with commas between
    const unsigned char *spirv;
    unsigned long byte_count;
    int binding_count, push_byte_count;
    int width;    // subgroups it is made for: 0 any, 1 wide, 2 narrow
    int tile[2];  // rows and columns of a workgroup's results; 0 where it has no such
    int constant_count;
    unsigned constants[4];  // specialization constants
} cshaders_entry;

extern const cshaders_entry cshaders_table[];
extern const int cshaders_count;
extern const char *const cshaders_hash;  // of the sources

// Shaders/tuning.json
extern const unsigned char *const cshaders_tuning;
extern const unsigned long cshaders_tuning_byte_count;

// The first entry of the table.
static inline const cshaders_entry *cshaders_entries(void) { return cshaders_table; }
