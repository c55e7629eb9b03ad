#include "include/CKernels.h"

#include <string.h>

// Sums and sums of sums over eight lanes of 64 bits: what is changed, lost or out of order shows, and it runs at memory
// speed.
uint64_t ck_checksum(const void *bytes, int64_t size) {
    uint64_t sums[8] = {0}, places[8] = {0};
    const uint8_t *at = bytes;
    int64_t left = size;
    while (left > 0) {
        uint64_t words[8] = {0};
        memcpy(words, at, left < 64 ? (size_t)left : 64);
        for (int i = 0; i < 8; i++) {
            sums[i] += words[i];
            places[i] += sums[i];
        }
        at += 64, left -= 64;
    }
    uint64_t all = (uint64_t)size;
    for (int i = 0; i < 8; i++) all = (all ^ sums[i]) * 0x9E3779B97F4A7C15u + (places[i] ^ places[i] >> 29);
    return all;
}
